package httpserver

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
)

// The tests run in synctest bubbles, which have a fake clock. It advances only when all goroutines wait: so waiting
// takes no real time, and durations are exact. See https://pkg.go.dev/testing/synctest.

var testConfig = config.Config{
	ReadHeaderTimeout: time.Hour, // so long that only the shutdown ends a connection
	ShutdownDelay:     5 * time.Second,
	ShutdownTimeout:   20 * time.Second,
}

// memoryListener accepts connections in memory, because a synctest bubble cannot wait for the network.
type memoryListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	close    func()
}

func newMemoryListener() *memoryListener {
	closed := make(chan struct{})
	return &memoryListener{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.close()
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// dial connects a client and sends text.
func (l *memoryListener) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	l.accepted <- server
	if _, err := io.WriteString(client, text); err != nil {
		t.Fatal(err)
	}
	return client
}

// serve starts a server. It returns the server's listener, a function that stops it, and the result of Serve.
func serve(t *testing.T, handler http.HandlerFunc) (*memoryListener, context.CancelFunc, chan error) {
	t.Helper()
	return serveWith(t, testConfig, handler)
}

func serveWith(
	t *testing.T, cfg config.Config, handler http.HandlerFunc,
) (*memoryListener, context.CancelFunc, chan error) {
	t.Helper()
	listener := newMemoryListener()
	server := newServer("PORT", listener, handler, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- server.Serve(ctx) }()
	return listener, stop, result
}

const get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

func readStatus(t *testing.T, conn net.Conn) string {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	_ = response.Body.Close()
	return response.Status
}

func TestIdleServerStopsAfterTheDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(http.ResponseWriter, *http.Request) {})
		stop()
		start := time.Now()

		time.Sleep(testConfig.ShutdownDelay - time.Second)
		conn := listener.dial(t, get)
		if got, want := readStatus(t, conn), "200 OK"; got != want {
			t.Errorf("a request during SHUTDOWN_DELAY gets %q, want %q", got, want)
		}
		_ = conn.Close()

		if err := <-result; err != nil {
			t.Errorf("Serve() = %v", err)
		}
		if got, want := time.Since(start), testConfig.ShutdownDelay+idleGrace; got != want {
			t.Errorf("stopped after %s, want %s", got, want)
		}
	})
}

func TestRequestInFlightFinishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(testConfig.ShutdownTimeout)
			if err := r.Context().Err(); err != nil {
				t.Errorf("the context is done during SHUTDOWN_TIMEOUT: %v", err)
			}
		})
		conn := listener.dial(t, get)
		synctest.Wait()
		stop()

		if got, want := readStatus(t, conn), "200 OK"; got != want {
			t.Errorf("a request in flight gets %q, want %q", got, want)
		}
		if err := <-result; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
}

func TestStuckRequestIsCutOffAtTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 1)
		listener, stop, result := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			causes <- context.Cause(r.Context())
			time.Sleep(time.Minute) // ignores the cancelled context
		})
		conn := listener.dial(t, get)
		synctest.Wait()
		stop()
		start := time.Now()

		err := <-result
		if err == nil || !strings.Contains(err.Error(), "SHUTDOWN_TIMEOUT=20s: 1") {
			t.Errorf("Serve() = %v, want it to count 1 request", err)
		}
		longest := testConfig.ShutdownDelay + testConfig.ShutdownTimeout + time.Second
		if got := time.Since(start); got > longest {
			t.Errorf("stopped after %s, want at most %s", got, longest)
		}
		if got := <-causes; !strings.Contains(got.Error(), "SHUTDOWN_TIMEOUT is over") {
			t.Errorf("the context's cause is %v, want it to name SHUTDOWN_TIMEOUT", got)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open, want it closed")
		}
		time.Sleep(time.Minute) // let the handler return: no goroutine may outlive the bubble
	})
}

func TestIdleConnectionsDoNotDelayTheShutdown(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{
		"nothing":       "",
		"half a header": "GET / HTTP/1.1\r\nHo",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener, stop, result := serve(t, func(http.ResponseWriter, *http.Request) {})
				listener.dial(t, sent)
				synctest.Wait()
				stop()
				start := time.Now()
				if err := <-result; err != nil {
					t.Errorf("Serve() = %v", err)
				}
				if got, longest := time.Since(start), testConfig.ShutdownDelay+time.Second; got > longest {
					t.Errorf("stopped after %s, want at most %s", got, longest)
				}
			})
		})
	}
}

func TestRequestBeingReadIsHandledWhenTheListenerCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(http.ResponseWriter, *http.Request) {})
		stop()
		time.Sleep(testConfig.ShutdownDelay - idleGrace/4)
		conn := listener.dial(t, get[:20])
		time.Sleep(idleGrace / 2)
		if _, err := io.WriteString(conn, get[20:]); err != nil {
			t.Fatal(err)
		}
		if got, want := readStatus(t, conn), "200 OK"; got != want {
			t.Errorf("a request that is read while the listener closes gets %q, want %q", got, want)
		}
		_ = conn.Close()
		if err := <-result; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
}

func TestHandlerCanRespondAfterItsContextIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		conn := listener.dial(t, get)
		synctest.Wait()
		stop()
		if got, want := readStatus(t, conn), "503 Service Unavailable"; got != want {
			t.Errorf("a cancelled request gets %q, want %q", got, want)
		}
		_ = conn.Close()
		if err := <-result; err == nil {
			t.Error("Serve() = nil, want an error")
		}
	})
}

func TestOnlyRequestsInFlightAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		listener, stop, result := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/stuck":
				<-stuck
			case "/hijack":
				if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
					t.Error(err)
				}
			}
		})
		halfSent := listener.dial(t, get)
		if got, want := readStatus(t, halfSent), "200 OK"; got != want {
			t.Fatalf("status %q, want %q", got, want)
		}
		if _, err := io.WriteString(halfSent, get[:20]); err != nil { // half of a second request
			t.Fatal(err)
		}
		closed := listener.dial(t, get)
		readStatus(t, closed)
		_ = closed.Close()
		listener.dial(t, "GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n")
		listener.dial(t, "GET /stuck HTTP/1.1\r\nHost: test\r\n\r\n")
		synctest.Wait()
		stop()
		if err := <-result; err == nil || !strings.HasSuffix(err.Error(), ": 1") {
			t.Errorf("Serve() = %v, want it to count 1 request", err)
		}
		close(stuck)
	})
}

func TestIdleConnectionsAreNotCountedAsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig
		cfg.ShutdownTimeout = 0
		listener, stop, result := serveWith(t, cfg, func(http.ResponseWriter, *http.Request) {})
		listener.dial(t, "")
		synctest.Wait()
		stop()
		if err := <-result; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
}

func TestListenNamesTheVariable(t *testing.T) {
	t.Parallel()
	_, err := Listen("ADMIN_ADDR", "256.0.0.1:80", nil, testConfig, slog.Default())
	if err == nil || !strings.HasPrefix(err.Error(), "ADMIN_ADDR: ") {
		t.Errorf("Listen() = %v, want an error that starts with ADMIN_ADDR", err)
	}
}
