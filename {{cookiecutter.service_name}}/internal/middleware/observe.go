package middleware

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/problem"
	"{{ cookiecutter.module_path }}/internal/requestid"
)

// Observe gives each request an id and logs one line after the response. If the handler panics, Observe responds with
// 500. While the service drains, it asks clients to close their connections.
func Observe(logger *slog.Logger, draining func() bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e := &exchange{
				ResponseWriter: w,
				Context:        r.Context(),
				id:             [1]string{requestid.Choose(r.Header.Get(requestid.Header))},
				start:          time.Now(),
				draining:       draining,
			}
			e.setHeaders(r)
			r = r.WithContext(e)
			defer e.end(r, logger)
			next.ServeHTTP(e, r)
		})
	}
}

var nosniff = []string{"nosniff"}

// exchange is one request with its response. It is both the response writer and the context, because two separate
// objects would cost each request another allocation.
type exchange struct {
	http.ResponseWriter
	context.Context //nolint:containedctx // see above

	id       [1]string // an array, so that the header's value can be a slice of it
	start    time.Time
	draining func() bool
	route    string
	status   int // 0 until the response starts
	hijacked net.Conn
	bytes    int64 // of the body
	attrs    [6]slog.Attr
}

// exchangeKey is the context key of a request's exchange.
type exchangeKey struct{}

// Value returns the id to [requestid.From], and the exchange to NoteRoute.
func (e *exchange) Value(key any) any {
	switch key {
	case requestid.Key{}:
		return &e.id[0]
	case exchangeKey{}:
		return e
	}
	return e.Context.Value(key)
}

// NoteRoute records the pattern that the mux matched, for Observe's log line. It must be the last middleware: the mux
// writes the pattern into the request it gets, and middlewares in between could pass on a copy.
func NoteRoute(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
			defer func() { e.route = r.Pattern }()
		}
		mux.ServeHTTP(w, r)
	})
}

// setHeaders sets the headers of every response. It assigns them directly, because Header.Set allocates.
func (e *exchange) setHeaders(r *http.Request) {
	e.Header()[requestid.Header] = e.id[:]
	e.Header()["X-Content-Type-Options"] = nosniff
	if !r.ProtoAtLeast(1, 1) { // http.Server ignores its Transfer-Encoding: the next bytes may be a body
		e.Header().Set("Connection", "close")
	}
}

// WriteHeader records the status. If the handler does not call it, Write, FlushError or end does.
func (e *exchange) WriteHeader(status int) {
	final := status >= http.StatusOK && status <= 999 || status == http.StatusSwitchingProtocols
	if e.status == 0 && final {
		e.status = status
		if e.draining() && status != http.StatusSwitchingProtocols {
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

// Flush implements [http.Flusher]. Unwrap is not enough for Flush, FlushError and Hijack: they start the response, so
// they must record the status.
func (e *exchange) Flush() { _ = e.FlushError() }

// FlushError is called by [http.ResponseController].
func (e *exchange) FlushError() error {
	e.implicitOK()
	return http.NewResponseController(e.ResponseWriter).Flush()
}

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

// end runs when the handler returns or panics. After a panic it responds with 500. If the response has started, it
// closes the connection instead: the client must not take half a response for a whole one.
func (e *exchange) end(r *http.Request, logger *slog.Logger) {
	panicValue := recover()
	aborted := panicValue == any(http.ErrAbortHandler)
	cut := panicValue != nil && (aborted || e.status != 0)
	if panicValue != nil && !aborted {
		logger.ErrorContext(e, "panic", "value", fmt.Sprint(panicValue), "stack", string(debug.Stack()))
	}
	switch {
	case cut:
		if e.hijacked != nil {
			_ = e.hijacked.Close()
		}
		e.log(r, logger, "request cut off")
		panic(http.ErrAbortHandler)
	case panicValue != nil:
		clear(e.Header())
		e.setHeaders(r)
		problem.Write(e, r, http.StatusInternalServerError, "The service failed. Its log has the request's id.")
	default:
		e.implicitOK()
	}
	e.log(r, logger, "request")
}

// log writes the request's log line. A record allocates for more than five attributes, so they are one unnamed group.
// The record is built by hand, because a logger would look up the caller.
func (e *exchange) log(r *http.Request, logger *slog.Logger, message string) {
	level := slog.LevelInfo
	if health.IsProbe(r) {
		level = slog.LevelDebug
	}
	if !logger.Enabled(e, level) {
		return
	}
	duration := time.Since(e.start)
	e.attrs = [...]slog.Attr{
		slog.String("method", r.Method),
		slog.String("route", e.route),
		slog.Int("status", e.status),
		slog.Int64("bytes", e.bytes),
		slog.Duration("duration", duration),
		slog.String("client", r.RemoteAddr),
	}
	record := slog.NewRecord(e.start.Add(duration), level, message, 0)
	record.AddAttrs(slog.Attr{Value: slog.GroupValue(e.attrs[:]...)})
	_ = logger.Handler().Handle(e, record)
}
