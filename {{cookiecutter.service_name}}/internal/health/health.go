// Package health has the probes that a platform uses to check the service.
// See https://kubernetes.io/docs/concepts/workloads/pods/probes/.
package health

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// IsProbe reports whether r is a probe of the platform.
func IsProbe(r *http.Request) bool {
	return r.URL.Path == "/livez" || r.URL.Path == "/readyz"{% if cookiecutter.rpc != "none" %} || isGRPC(r.URL.Path){% endif %}
}

// Routes adds the probes to a mux.
func Routes(mux *http.ServeMux, readiness *Readiness) {
	mux.HandleFunc("GET /livez", Live)
	mux.Handle("GET /readyz", readiness)
}

// Live handles GET /livez. A process that responds is alive, even if its dependencies are not.
func Live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok"}`)
}

// Check asks the service on this machine whether it is alive: on its port, or on ADMIN_ADDR if all connections on the port
// may be in use. It does not use http.Client, which would make the binary half a megabyte larger.
func Check(port int, adminAddr string) error {
	err := ask(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() && adminAddr != "" {
		return ask(adminAddr)
	}
	return err
}

func ask(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return fmt.Errorf("cannot reach the service: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	statusLine, err := bufio.NewReader(io.LimitReader(conn, 1024)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("cannot read the response of /livez: %w", err)
	}
	if !strings.HasPrefix(statusLine, "HTTP/1.1 200 ") {
		return fmt.Errorf("/livez responded with %q", statusLine)
	}
	return nil
}
