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

// The tests run in synctest bubbles, where time passes only when everybody waits: minutes take no time, and what
// should happen after 20 s is seen to happen after exactly 20 s. See https://pkg.go.dev/testing/synctest.

var testConfig = config.Config{
	ReadHeaderTimeout: time.Hour, // long, so that nothing but the stop ends a connection
	ShutdownDelay:     5 * time.Second,
	ShutdownTimeout:   20 * time.Second,
}

// pipes is a listener in memory: a bubble cannot wait for the network.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	close    func()
}

func newPipes() *pipes {
	closed := make(chan struct{})
	return &pipes{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close()
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// dial connects a client that sends text.
func (p *pipes) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	p.accepted <- server
	if _, err := io.WriteString(client, text); err != nil {
		t.Fatal(err)
	}
	return client
}

// serve starts a server and returns the way to connect, to stop it, and what Serve returned.
func serve(t *testing.T, handler http.HandlerFunc) (*pipes, context.CancelFunc, chan error) {
	t.Helper()
	return serveWith(t, testConfig, handler)
}

func serveWith(t *testing.T, cfg config.Config, handler http.HandlerFunc) (*pipes, context.CancelFunc, chan error) {
	t.Helper()
	listener := newPipes()
	server := newServer("PORT", listener, handler, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- server.Serve(ctx) }()
	return listener, stop, result
}

const get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

func status(t *testing.T, conn net.Conn) string {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	_ = answer.Body.Close()
	return answer.Status
}

func TestIdleServerStopsAfterTheDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(http.ResponseWriter, *http.Request) {})
		stop()
		begin := time.Now()

		time.Sleep(testConfig.ShutdownDelay - time.Second)
		conn := listener.dial(t, get)
		if got, want := status(t, conn), "200 OK"; got != want {
			t.Errorf("a request within the delay gets %q, want %q", got, want)
		}
		_ = conn.Close()

		if err := <-result; err != nil {
			t.Errorf("Serve() = %v", err)
		}
		if got, want := time.Since(begin), testConfig.ShutdownDelay+lastRequests; got != want {
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
				t.Errorf("the context of a request that may finish ended: %v", err)
			}
		})
		conn := listener.dial(t, get)
		synctest.Wait()
		stop()

		if got, want := status(t, conn), "200 OK"; got != want {
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
			time.Sleep(time.Minute) // does not heed it
		})
		conn := listener.dial(t, get)
		synctest.Wait()
		stop()
		begin := time.Now()

		err := <-result
		if err == nil || !strings.Contains(err.Error(), "SHUTDOWN_TIMEOUT=20s: 1") {
			t.Errorf("Serve() = %v, want it to count the request", err)
		}
		longest := testConfig.ShutdownDelay + testConfig.ShutdownTimeout + time.Second
		if got := time.Since(begin); got > longest {
			t.Errorf("stopped after %s, want at most %s", got, longest)
		}
		if got := <-causes; !strings.Contains(got.Error(), "SHUTDOWN_TIMEOUT is over") {
			t.Errorf("the context's cause is %v, want it to name SHUTDOWN_TIMEOUT", got)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open, want it closed")
		}
		time.Sleep(time.Minute) // until the handler returns: no goroutine may outlive the bubble
	})
}

func TestSilentConnectionsDoNotHoldTheStop(t *testing.T) {
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
				begin := time.Now()
				if err := <-result; err != nil {
					t.Errorf("Serve() = %v", err)
				}
				if got, longest := time.Since(begin), testConfig.ShutdownDelay+time.Second; got > longest {
					t.Errorf("stopped after %s, want at most %s", got, longest)
				}
			})
		})
	}
}

func TestRequestsThatAreOnTheirWayAreAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(http.ResponseWriter, *http.Request) {})
		stop()
		time.Sleep(testConfig.ShutdownDelay - lastRequests/4)
		conn := listener.dial(t, get[:20])
		time.Sleep(lastRequests / 2)
		if _, err := io.WriteString(conn, get[20:]); err != nil {
			t.Fatal(err)
		}
		if got, want := status(t, conn), "200 OK"; got != want {
			t.Errorf("a request that ends as the listener closes gets %q, want %q", got, want)
		}
		_ = conn.Close()
		if err := <-result; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
}

func TestHandlersThatHeedTheirContextsStillAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		conn := listener.dial(t, get)
		synctest.Wait()
		stop()
		if got, want := status(t, conn), "503 Service Unavailable"; got != want {
			t.Errorf("a request that was cancelled gets %q, want %q", got, want)
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
		again := listener.dial(t, get)
		if got, want := status(t, again), "200 OK"; got != want {
			t.Fatalf("status %q, want %q", got, want)
		}
		if _, err := io.WriteString(again, get[:20]); err != nil { // half of a second request
			t.Fatal(err)
		}
		gone := listener.dial(t, get)
		status(t, gone)
		_ = gone.Close()
		listener.dial(t, "GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n")
		listener.dial(t, "GET /stuck HTTP/1.1\r\nHost: test\r\n\r\n")
		synctest.Wait()
		stop()
		if err := <-result; err == nil || !strings.HasSuffix(err.Error(), ": 1") {
			t.Errorf("Serve() = %v, want it to count 1", err)
		}
		close(stuck)
	})
}

func TestSilentConnectionsAreNotCountedAsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		impatient := testConfig
		impatient.ShutdownTimeout = 0
		listener, stop, result := serveWith(t, impatient, func(http.ResponseWriter, *http.Request) {})
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
		t.Errorf("Listen() = %v, want an error that begins with ADMIN_ADDR", err)
	}
}
