package middleware

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"{{ cookiecutter.module_path }}/internal/requestid"
{%- if cookiecutter.rpc != "none" %}
	"{{ cookiecutter.module_path }}/internal/rpc"
{%- endif %}
)

// exchange is one request with its response. It is both the response writer and the context, because two separate
// objects would cost each request another allocation.
type exchange struct {
	http.ResponseWriter
	context.Context //nolint:containedctx // see above

	logger   *slog.Logger
	id       [1]string // an array, so that the header's value can be a slice of it
	start    time.Time
	draining func() bool
	isHTTP1  bool
	route    string // the pattern, set by Limits; middlewares may copy the request, so that its own Pattern is lost
	refusal  string // the variable of the limit that refused the request
	status   int    // 0 until the response starts
	hijacked net.Conn
	bytes    int64 // of the body
	attrs    [8]slog.Attr
{%- if cookiecutter.rpc != "none" %}
	call     rpc.Call
{%- endif %}

	body    body
	timeout time.Duration // 0 is none
	limited atomic.Pointer[limitedContext]
}

// ErrBodyTimeout is what reading a body results in when READ_TIMEOUT is over. A dependency's timeout is another error.
var ErrBodyTimeout = fmt.Errorf("the body did not arrive in time: %w", os.ErrDeadlineExceeded)

// body is the body of a request.
type body struct{ io.ReadCloser }

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrBodyTimeout
	}
	return n, err
}

// limitedContext ends when the request's time is over.
type limitedContext struct {
	context.Context //nolint:containedctx // it is one
	cancel          context.CancelFunc
}

// exchangeKey is the context key of a request's exchange.
type exchangeKey struct{}

// exchangeOf returns the exchange of a request by its context. A request that did not pass Observe gets one that nobody reads.
func exchangeOf(ctx context.Context) *exchange {
	if e, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return e
	}
	return &exchange{Context: ctx, start: time.Now(), logger: slog.Default()}
}

// LogFailure logs why a request failed, with the service's logger.
func LogFailure(ctx context.Context, err error) {
	exchangeOf(ctx).logger.ErrorContext(ctx, "request failed", "error", err)
}

// NoteRefusal names the limit that refused a request, for its log line and the observers.
func NoteRefusal(ctx context.Context, variable string) { exchangeOf(ctx).refusal = variable }

// ResponseStarted reports whether part of the response was sent, so that another can no longer take its place.
func ResponseStarted(ctx context.Context) bool { return exchangeOf(ctx).status != 0 }
{%- if cookiecutter.rpc != "none" %}

// TimedOut reports whether the request's own time is over, and not only a shorter one that the client gave ctx.
func TimedOut(ctx context.Context) bool {
	return errors.Is(exchangeOf(ctx).Err(), context.DeadlineExceeded)
}
{%- endif %}

// Value returns the id to [requestid.From], and the exchange to exchangeOf.
func (e *exchange) Value(key any) any {
	switch key {
	case requestid.Key{}:
		return &e.id[0]
{%- if cookiecutter.rpc != "none" %}
	case rpc.CallKey{}:
		return &e.call
{%- endif %}
	case exchangeKey{}:
		return e
	}
	if limited := e.limited.Load(); limited != nil {
		return limited.Value(key) // so that package context finds the cancellation
	}
	return e.Context.Value(key)
}

// Deadline implements [context.Context].
func (e *exchange) Deadline() (time.Time, bool) {
	if e.timeout == 0 {
		return e.Context.Deadline()
	}
	return e.start.Add(e.timeout), true
}

// Done sets the timer when a handler first asks. A handler that never does pays nothing for its deadline.
func (e *exchange) Done() <-chan struct{} { return e.withDeadline().Done() }

// Err implements [context.Context]. Before the deadline it needs no timer.
func (e *exchange) Err() error {
	if e.limited.Load() == nil && time.Since(e.start) < e.timeout {
		return e.Context.Err()
	}
	return e.withDeadline().Err()
}

func (e *exchange) withDeadline() context.Context {
	if e.timeout == 0 {
		return e.Context
	}
	if limited := e.limited.Load(); limited != nil {
		return limited
	}
	cause := fmt.Errorf("REQUEST_TIMEOUT: %s are over: %w", e.timeout, context.DeadlineExceeded)
	ctx, cancel := context.WithDeadlineCause(e.Context, e.start.Add(e.timeout), cause)
	if !e.limited.CompareAndSwap(nil, &limitedContext{ctx, cancel}) {
		cancel() // another goroutine was first
	}
	return e.limited.Load()
}

// timedOut reports whether the deadline is over, if the handler ever looked at it.
func (e *exchange) timedOut() bool {
	limited := e.limited.Load()
	return limited != nil && limited.Err() == context.DeadlineExceeded //nolint:errorlint // by the documentation of Err
}

// setHeaders sets the headers of every response. It assigns them directly, because Header.Set allocates.
func (e *exchange) setHeaders(r *http.Request) {
	e.Header()[requestid.Header] = e.id[:]
	e.Header()["X-Content-Type-Options"] = nosniff
	if !r.ProtoAtLeast(1, 1) { // http.Server ignores its Transfer-Encoding: the next bytes may be a body
		e.Header().Set("Connection", "close")
	}
}

var nosniff = []string{"nosniff"}

// WriteHeader records the status. If the handler does not call it, Write, FlushError or end does.
func (e *exchange) WriteHeader(status int) {
	final := status >= http.StatusOK && status <= 999 || status == http.StatusSwitchingProtocols
	if e.status == 0 && final {
		e.status = status
		if e.isHTTP1 && e.draining() && status != http.StatusSwitchingProtocols { // to HTTP/2 it would be GOAWAY, at once
			e.Header().Set("Connection", "close")
		}
	}
	e.ResponseWriter.WriteHeader(status)
}

func (e *exchange) Write(p []byte) (int, error) {
	e.implicitOK()
	n, err := e.ResponseWriter.Write(p)
	e.bytes += int64(n)
	return n, err
}

// ReadFrom implements [io.ReaderFrom], so that the kernel can send a file (sendfile).
func (e *exchange) ReadFrom(source io.Reader) (int64, error) {
	e.implicitOK()
	n, err := io.Copy(e.ResponseWriter, source)
	e.bytes += n
	return n, err
}

// Flush implements [http.Flusher]. Unwrap is not enough for Flush, FlushError and Hijack: they start the response, so
// they must record the status.
func (e *exchange) Flush() { _ = e.FlushError() }

// FlushError is called by [http.ResponseController].
func (e *exchange) FlushError() error {
	e.implicitOK()
	return http.NewResponseController(e.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker].
func (e *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(e.ResponseWriter).Hijack()
	if err == nil {
		e.status, e.hijacked = http.StatusSwitchingProtocols, conn
	}
	return conn, buffered, err
}

// Unwrap is called by [http.ResponseController].
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

func (e *exchange) implicitOK() {
	if e.status == 0 {
		e.WriteHeader(http.StatusOK)
	}
}
