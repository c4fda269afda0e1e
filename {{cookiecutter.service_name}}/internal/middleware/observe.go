package middleware

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/problem"
	"{{ cookiecutter.module_path }}/internal/requestid"
)

// Outcome is what became of a request.
type Outcome struct {
	Method   string
	Route    string // the pattern, or "" if no route matched
	Status   int    // 0 if there was no response
{%- if cookiecutter.rpc != "none" %}
	Code     string // of a call, such as UNAVAILABLE. Then Status is the one that counts the code
{%- endif %}
	Bytes    int64  // of the response's body
	Start    time.Time
	Duration time.Duration
	Panic    any    // what the handler panicked with
	Refusal  string // the variable of the limit that refused the request
}

// Panicked reports whether the handler panicked. With [http.ErrAbortHandler] it only cuts the connection.
func (o Outcome) Panicked() bool { return o.Panic != nil && o.Panic != any(http.ErrAbortHandler) }

// Observer learns of each request before its handler and after its response.
type Observer interface {
	Begin(ctx context.Context, r *http.Request) context.Context // returns the context of the request
	End(r *http.Request, outcome Outcome)
}

// Observe gives each request an id, logs one line after the response and tells the observers. If the handler panics,
// Observe responds with 500. While the service drains, it asks clients to close their connections.
func Observe(logger *slog.Logger, draining func() bool, observers ...Observer) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e := &exchange{
				ResponseWriter: w,
				Context:        r.Context(),
				logger:         logger,
				id:             [1]string{requestid.Choose(r.Header.Get(requestid.Header))},
				start:          time.Now(),
				draining:       draining,
				isHTTP1:        r.ProtoMajor == 1,
			}
			for _, observer := range observers {
				e.Context = observer.Begin(e.Context, r)
			}
			e.setHeaders(r)
			r = r.WithContext(e)
			defer e.end(r, observers)
			next.ServeHTTP(e, r)
		})
	}
}

// end runs when the handler returns or panics. After a panic it responds with 500. If the response has started, it
// closes the connection instead: the client must not take half a response for a whole one.
func (e *exchange) end(r *http.Request, observers []Observer) {
	panicValue := recover()
	aborted := panicValue == any(http.ErrAbortHandler)
	cut := panicValue != nil && (aborted || e.status != 0)
	if panicValue != nil && !aborted {
		e.logger.ErrorContext(e, "panic", "value", fmt.Sprintf("%.2000s", fmt.Sprint(panicValue)), "stack", string(debug.Stack()))
	}
	switch {
	case cut:
		if e.hijacked != nil {
			_ = e.hijacked.Close()
		}
	case panicValue != nil:
		maps.DeleteFunc(e.Header(), func(name string, _ []string) bool { return !isForAllResponses(name) })
		problem.Refuse(e, r, http.StatusInternalServerError, "The service failed. Its log has the request's id.")
	case e.status == 0 && e.timedOut():
		e.refusal = "REQUEST_TIMEOUT"
		problem.TimedOut(e, r)
	default:
		e.implicitOK()
	}
	e.report(r, observers, panicValue, cut)
	if limited := e.limited.Load(); limited != nil {
		limited.cancel()
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// isForAllResponses reports whether a header was set before the handler.
func isForAllResponses(name string) bool {
	return strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "X-") || name == "Vary" ||
		name == "Connection"
}

// report tells the observers and writes the request's log line. A record allocates for more than five attributes, so
// they are one unnamed group. The record is built by hand, because a logger would look up the caller.
func (e *exchange) report(r *http.Request, observers []Observer, panicValue any, cut bool) {
	outcome := Outcome{
		Method: r.Method, Route: e.matched(r), Status: e.status, Bytes: e.bytes, Start: e.start,
		Duration: time.Since(e.start), Panic: panicValue, Refusal: e.refusal,
	}
{%- if cookiecutter.rpc != "none" %}
	outcome.Code, outcome.Status = e.call.Outcome(e.status, e.Header(), cut)
{%- endif %}
	for _, observer := range observers {
		observer.End(r, outcome)
	}
	level := e.level(r, outcome)
	if !e.logger.Enabled(e, level) {
		return
	}
	message := "request"
	if cut {
		message = "request cut off"
	}
	record := slog.NewRecord(e.start.Add(outcome.Duration), level, message, 0)
	record.AddAttrs(slog.Attr{Value: slog.GroupValue(e.describe(r, outcome)...)})
	_ = e.logger.Handler().Handle(e, record)
}

const (
	longestMethod = 32  // bytes that are logged
	longestPath   = 200 // bytes that are logged
)

func (e *exchange) describe(r *http.Request, outcome Outcome) []slog.Attr {
	attrs := append(e.attrs[:0], slog.String("method", shortened(r.Method, longestMethod)))
	if outcome.Route != "" {
		attrs = append(attrs, slog.String("route", outcome.Route))
	} else {
		attrs = append(attrs, slog.String("path", shortened(r.URL.EscapedPath(), longestPath)))
	}
	attrs = append(attrs,
		slog.Int("status", outcome.Status),
		slog.Int64("bytes", e.bytes),
		slog.Duration("duration", outcome.Duration),
		slog.String("client", r.RemoteAddr),
	)
{%- if cookiecutter.rpc != "none" %}
	if outcome.Code != "" {
		attrs = append(attrs, slog.String("code", outcome.Code))
	}
{%- endif %}
	if e.refusal != "" {
		attrs = append(attrs, slog.String("refused_by", e.refusal))
	}
	return attrs
}

// matched returns the pattern of the request's route, or "" if none matched: "/" is the route of all other requests.
func (e *exchange) matched(r *http.Request) string {
	pattern := cmp.Or(e.route, r.Pattern)
	if pattern == "/" {
		return ""
	}
	return pattern
}

// level is error for the failures that somebody should look into. The load limit's 503 is not one.
func (e *exchange) level(r *http.Request, outcome Outcome) slog.Level {
	switch {
	case health.IsProbe(r):
		return slog.LevelDebug
	case outcome.Status >= http.StatusInternalServerError && e.refusal != "MAX_IN_FLIGHT" && e.refusal != "MAX_STREAMS":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// shortened cuts a text, so that a client cannot make long lines.
func shortened(text string, longest int) string {
	if len(text) > longest {
		return text[:longest] + "..."
	}
	return text
}
