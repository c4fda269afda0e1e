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

// Observe gives each request an id, logs a line when it was answered, and answers for a handler that panics. While
// the service drains, it asks clients to close their connections.
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

// exchange is a request under observation: the writer of its answer and its context in one, since every part of it
// that stands apart would be an allocation more on each request.
type exchange struct {
	http.ResponseWriter
	context.Context //nolint:containedctx // see above

	id       [1]string // as the value of a header
	start    time.Time
	draining func() bool
	route    string
	status   int // 0 until the header is sent
	hijacked net.Conn
	bytes    int64
	line     [6]slog.Attr
}

// exchangeKey is where the context of a request holds its exchange.
type exchangeKey struct{}

// Value is how [requestid.From] finds the id, and NoteRoute the exchange.
func (e *exchange) Value(key any) any {
	switch key {
	case requestid.Key{}:
		return &e.id[0]
	case exchangeKey{}:
		return e
	}
	return e.Context.Value(key)
}

// NoteRoute tells Observe which pattern of a mux took the request. It stands right before the mux: only there is the
// request at hand that the mux writes its pattern into, whatever copies of it other middlewares made.
func NoteRoute(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
			defer func() { e.route = r.Pattern }()
		}
		mux.ServeHTTP(w, r)
	})
}

// setHeaders sets what every answer has. It goes around Header.Set, which would allocate.
func (e *exchange) setHeaders(r *http.Request) {
	e.Header()[requestid.Header] = e.id[:]
	e.Header()["X-Content-Type-Options"] = nosniff
	if !r.ProtoAtLeast(1, 1) { // whose Transfer-Encoding http.Server ignores: what follows may be its body
		e.Header().Set("Connection", "close")
	}
}

// WriteHeader notes the status. It comes with every answer, if only from end.
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

// Flush is for those who look for an [http.Flusher]. This and the next two are not left to Unwrap because they send
// what WriteHeader should have seen.
func (e *exchange) Flush() { _ = e.FlushError() }

// FlushError is for [http.ResponseController].
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

// Unwrap is for [http.ResponseController].
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

func (e *exchange) implicitOK() {
	if e.status == 0 {
		e.WriteHeader(http.StatusOK)
	}
}

// end is deferred around the handler. A panic becomes a 500, or, where the answer had begun, a connection that is
// cut: the client must not take half of an answer for the whole.
func (e *exchange) end(r *http.Request, logger *slog.Logger) {
	failure := recover()
	aborted := failure == any(http.ErrAbortHandler)
	cut := failure != nil && (aborted || e.status != 0)
	if failure != nil && !aborted {
		logger.ErrorContext(e, "panic", "value", fmt.Sprint(failure), "stack", string(debug.Stack()))
	}
	switch {
	case cut:
		if e.hijacked != nil {
			_ = e.hijacked.Close()
		}
		e.log(r, logger, "request cut off")
		panic(http.ErrAbortHandler)
	case failure != nil:
		clear(e.Header())
		e.setHeaders(r)
		problem.Write(e, r, http.StatusInternalServerError, "The service failed. Its log has the request's id.")
	default:
		e.implicitOK()
	}
	e.log(r, logger, "request")
}

// log writes the line of the request. The attributes are an unnamed group in the exchange and the record has no
// source line: slog would allocate for more than five, and look up the caller for nothing.
func (e *exchange) log(r *http.Request, logger *slog.Logger, message string) {
	level := slog.LevelInfo
	if health.IsProbe(r) {
		level = slog.LevelDebug
	}
	if !logger.Enabled(e, level) {
		return
	}
	duration := time.Since(e.start)
	e.line = [...]slog.Attr{
		slog.String("method", r.Method),
		slog.String("route", e.route),
		slog.Int("status", e.status),
		slog.Int64("bytes", e.bytes),
		slog.Duration("duration", duration),
		slog.String("client", r.RemoteAddr),
	}
	record := slog.NewRecord(e.start.Add(duration), level, message, 0)
	record.AddAttrs(slog.Attr{Value: slog.GroupValue(e.line[:]...)})
	_ = logger.Handler().Handle(e, record)
}
