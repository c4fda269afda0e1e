// Package health is how a platform asks after the service.
// See https://kubernetes.io/docs/concepts/workloads/pods/probes/.
package health

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"{{ cookiecutter.module_path }}/internal/problem"
)

// IsProbe reports whether r is a platform's question and not a client's.
func IsProbe(r *http.Request) bool {
	return r.URL.Path == "/livez" || r.URL.Path == "/readyz"
}

// Live answers GET /livez: a process that answers at all is alive, whatever it depends on.
func Live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok"}`)
}

// Ready answers GET /readyz: 503 while the service drains, so that no new requests are sent to it.
func Ready(draining func() bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if draining() {
			problem.Write(w, r, http.StatusServiceUnavailable, "The service is stopping.")
			return
		}
		Live(w, r)
	}
}

// Check asks the service on this machine's port whether it is alive. It speaks HTTP by hand, since an http.Client
// would add half a megabyte to the binary.
func Check(port int) error {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return fmt.Errorf("cannot reach the service: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	statusLine, err := bufio.NewReader(io.LimitReader(conn, 1024)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("cannot read the answer of /livez: %w", err)
	}
	if !strings.HasPrefix(statusLine, "HTTP/1.1 200 ") {
		return fmt.Errorf("/livez answered %q", statusLine)
	}
	return nil
}
