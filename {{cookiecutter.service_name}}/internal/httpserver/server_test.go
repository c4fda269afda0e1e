package httpserver

import (
	"bufio"
	"context"
	"fmt"
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
	MaxConnections:    10,
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

// serve starts a server. It returns the server's listener, a function that shuts it down, and the result of that.
func serve(t *testing.T, handler http.HandlerFunc) (*memoryListener, func(), chan error) {
	t.Helper()
	return serveWith(t, testConfig, handler)
}

func serveWith(t *testing.T, cfg config.Config, handler http.HandlerFunc) (*memoryListener, func(), chan error) {
	t.Helper()
	inner := newMemoryListener()
	server := newServer("PORT", inner, handler, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // as an option may do
	server.http.Protocols = protocols
	served, result := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve() }()
	stop := func() {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownTimeout)
			defer cancel()
			err := server.Shutdown(ctx)
			if err := <-served; err != nil {
				t.Errorf("Serve() = %v", err)
			}
			result <- err
		}()
	}
	return inner, stop, result
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

func TestIdleServerStopsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, stop, result := serve(t, func(http.ResponseWriter, *http.Request) {})
		stop()
		start := time.Now()
		if err := <-result; err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
		if got, want := time.Since(start), idleGrace; got != want {
			t.Errorf("stopped after %s, want %s", got, want)
		}
	})
}

func TestRequestInFlightFinishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(testConfig.ShutdownTimeout - time.Second)
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
			t.Errorf("Shutdown() = %v", err)
		}
	})
}

func TestStuckRequestIsCutOffAtTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 1)
		cfg := testConfig
		cfg.MaxConnections = 1 // Accept waits for room, and must not hold the stop
		listener, stop, result := serveWith(t, cfg, func(_ http.ResponseWriter, r *http.Request) {
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
			t.Errorf("Shutdown() = %v, want it to count 1 request", err)
		}
		longest := testConfig.ShutdownTimeout + time.Second
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
				if got, longest := time.Since(start), time.Second; got > longest {
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
		conn := listener.dial(t, get[:20])
		stop()
		time.Sleep(idleGrace / 2)
		if _, err := io.WriteString(conn, get[20:]); err != nil {
			t.Fatal(err)
		}
		if got, want := readStatus(t, conn), "200 OK"; got != want {
			t.Errorf("a request that is read while the listener closes gets %q, want %q", got, want)
		}
		_ = conn.Close()
		if err := <-result; err != nil {
			t.Errorf("Shutdown() = %v", err)
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
			t.Error("Shutdown() = nil, want an error")
		}
	})
}

func TestOnlyRequestsInFlightAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		listener, stop, result := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stuck" {
				<-stuck
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
		listener.dial(t, "GET /stuck HTTP/1.1\r\nHost: test\r\n\r\n")
		synctest.Wait()
		stop()
		if err := <-result; err == nil || !strings.HasSuffix(err.Error(), ": 1") {
			t.Errorf("Shutdown() = %v, want it to count 1 request", err)
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
			t.Errorf("Shutdown() = %v", err)
		}
	})
}

func TestStreamsLearnThatTheListenerCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(w http.ResponseWriter, r *http.Request) {
			<-Closing(r.Context()).Done()
			_, _ = io.WriteString(w, "bye")
		})
		conn := listener.dial(t, get)
		synctest.Wait()
		stop()
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(response.Body); string(body) != "bye" {
			t.Errorf("the stream ends with %q, want its own last words", body)
		}
		if err := <-result; err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	})
}

func TestHijackedConnectionsAreWaitedForAndCutOffAtTheTimeout(t *testing.T) {
	t.Parallel()
	for lasts, want := range map[time.Duration]string{5 * time.Second: "", time.Hour: ": 1"} {
		synctest.Test(t, func(t *testing.T) {
			listener, stop, result := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				time.AfterFunc(lasts, func() { _ = conn.Close() })
			})
			conn := listener.dial(t, get)
			synctest.Wait()
			stop()
			start := time.Now()
			err := <-result
			if got := fmt.Sprint(err); !strings.HasSuffix(got, want) || (err == nil) != (want == "") {
				t.Errorf("open for %s: Shutdown() = %v, want %q", lasts, err, want)
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Error("the connection is open, want it closed")
			}
			if took, least := time.Since(start), min(lasts, testConfig.ShutdownTimeout); took < least || took > least+time.Second {
				t.Errorf("open for %s: stopped and closed after %s, want %s", lasts, took, least)
			}
		})
	}
}

func TestConnectionsOverTheLimitWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig
		cfg.MaxConnections = 1
		listener, stop, result := serveWith(t, cfg, func(http.ResponseWriter, *http.Request) {})
		first := listener.dial(t, get)
		readStatus(t, first)
		var second net.Conn
		dialled := make(chan struct{})
		go func() {
			second = listener.dial(t, get)
			close(dialled)
		}()
		synctest.Wait()
		select {
		case <-dialled:
			t.Error("a second connection is accepted, want it to wait")
		default:
		}
		_ = first.Close()
		<-dialled
		if got, want := readStatus(t, second), "200 OK"; got != want {
			t.Errorf("the connection that waited gets %q, want %q", got, want)
		}
		stop()
		if err := <-result; err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	})
}

// getTwice sends two requests on one HTTP/2 connection. The channel receives the body of each, or the error.
func getTwice(t *testing.T, listener *memoryListener) <-chan string {
	t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return listener.dial(t, ""), nil
	}}
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: transport}
	answers := make(chan string, 2)
	for range 2 {
		go func() {
			response, err := client.Get("http://test/")
			if err != nil {
				answers <- err.Error()
				return
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			answers <- string(body)
		}()
	}
	synctest.Wait()
	return answers
}

func TestHTTP2RequestsFinishAndTheirClientIsToldToLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, r.Proto)
		})
		answers := getTwice(t, listener)
		stop()
		for range 2 {
			if got, want := <-answers, "HTTP/2.0"; got != want {
				t.Errorf("a request in flight gets %q, want %q", got, want)
			}
		}
		if err := <-result; err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	})
}

func TestHTTP2HandlersAreWaitedForWhenTheirClientHasLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		isOver := false
		listener, stop, result := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			time.Sleep(time.Second)
			isOver = true
		})
		conn := listener.dial(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		_, _ = io.WriteString(conn, http2Settings+http2Request)
		synctest.Wait()
		_ = conn.Close()
		synctest.Wait()
		stop()
		if err := <-result; err != nil || !isOver {
			t.Errorf("Shutdown() = %v, the handler has returned: %t", err, isOver)
		}
	})
}

func TestHTTP2RequestsThatAreCutOffAreCountedEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, stop, result := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		getTwice(t, listener)
		stop()
		if err := <-result; err == nil || !strings.HasSuffix(err.Error(), ": 2") {
			t.Errorf("Shutdown() = %v, want it to count 2 requests", err)
		}
	})
}

const ( // frames: RFC 9113, section 6
	http2Settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	http2Request  = "\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x86\x84" // HEADERS: GET http /
)

func TestIdleHTTP2ConnectionIsToldToLeave(t *testing.T) {
	t.Parallel()
	const goAway = 7
	for name, sent := range map[string]string{"new": http2Settings, "after a request": http2Settings + http2Request} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener, stop, result := serve(t, func(http.ResponseWriter, *http.Request) {})
				conn := listener.dial(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
				types := make(chan map[byte]bool)
				go func() { types <- frameTypes(conn) }()
				if _, err := io.WriteString(conn, sent); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				stop()
				if err := <-result; err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
				if got := <-types; !got[goAway] {
					t.Errorf("frames of the types %v, want GOAWAY", got)
				}
			})
		})
	}
}

// frameTypes reads HTTP/2 frames until the connection is closed, and returns their types.
func frameTypes(conn net.Conn) map[byte]bool {
	types := map[byte]bool{}
	for header := make([]byte, 9); ; {
		if _, err := io.ReadFull(conn, header); err != nil {
			return types
		}
		types[header[3]] = true
		length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		_, _ = io.CopyN(io.Discard, conn, length)
	}
}

// sender is a connection that can send files.
type sender struct {
	net.Conn
	sent bool
}

func (s *sender) ReadFrom(io.Reader) (int64, error) {
	s.sent = true
	return 0, nil
}

func TestFilesAreSentByTheConnectionItself(t *testing.T) {
	t.Parallel()
	inner := new(sender)
	if _, err := io.Copy(&conn{Conn: inner}, io.LimitReader(nil, 0)); err != nil || !inner.sent {
		t.Errorf("io.Copy() = %v, sent by the connection: %t", err, inner.sent)
	}
}

func TestListenNamesTheVariable(t *testing.T) {
	t.Parallel()
	_, err := Listen("ADMIN_ADDR", "256.0.0.1:80", nil, testConfig, slog.Default())
	if err == nil || !strings.HasPrefix(err.Error(), "ADMIN_ADDR: ") {
		t.Errorf("Listen() = %v, want an error that starts with ADMIN_ADDR", err)
	}
}

func TestWhenDoneIsOverWhenItIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		stop := WhenDone(ctx, func() { time.Sleep(time.Second); calls++ })
		prevent := WhenDone(ctx, func() { calls += 10 })
		prevent()
		cancel()
		synctest.Wait()
		stop()
		if calls != 1 {
			t.Errorf("calls = %d, want 1: the one that was not prevented, at its end", calls)
		}
	})
}
