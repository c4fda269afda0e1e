package middleware

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/httpserver"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// Route is what the limits have to know about a route.
type Route struct {
	Pattern string
	MaxBody int64         // bytes
	Timeout time.Duration // 0 is REQUEST_TIMEOUT
	Stream  bool          // without a deadline, and told when the listener closes
}

// Limits bounds what requests may use. The zero value is not usable: see NewLimits.
type Limits struct {
	cfg               config.Config
	crossOrigin       *http.CrossOriginProtection
	requests, streams atomic.Int64 // in flight
}

// NewLimits returns the limits of cfg.
func NewLimits(cfg config.Config) *Limits {
	l := &Limits{cfg: cfg, crossOrigin: http.NewCrossOriginProtection()}
	for _, origin := range cfg.TrustedOrigins {
		_ = l.crossOrigin.AddTrustedOrigin(origin) // config has tried it
	}
	return l
}

// Apply wraps the handler of a route. It refuses a request with 503 over MAX_IN_FLIGHT (or MAX_STREAMS), with 403 if
// it comes from the page of an origin that is not trusted, and with 413 if its body is too large.
// See https://pkg.go.dev/net/http#CrossOriginProtection.
func (l *Limits) Apply(route Route, handler http.Handler) http.Handler {
	inFlight, most, variable := &l.requests, int64(l.cfg.MaxInFlight), "MAX_IN_FLIGHT"
	if route.Stream {
		inFlight, most, variable = &l.streams, int64(l.cfg.MaxStreams), "MAX_STREAMS"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchangeOf(r.Context())
		e.route = route.Pattern
		if inFlight.Add(1) > most {
			inFlight.Add(-1) // at once: to respond can take a while
			e.refusal = variable
			problem.Unavailable(w, r, "The service is busy. Try again.")
			return
		}
		defer inFlight.Add(-1)
		switch {
		case l.crossOrigin.Check(r) != nil:
			e.refusal = "TRUSTED_ORIGINS"
			problem.Refuse(w, r, http.StatusForbidden, "Requests from the pages of another origin are refused.")
		case r.ContentLength > route.MaxBody:
			e.refusal = "MAX_BODY_BYTES"
			problem.BodyTooLarge(w, r, route.MaxBody)
		default:
			if r.ContentLength != 0 {
				e.body.ReadCloser = http.MaxBytesReader(serverWriter(w), r.Body, route.MaxBody)
				r.Body = &e.body
			}
			if route.Stream {
				l.serveStream(handler, w, r)
				return
			}
			e.timeout = l.cfg.RequestTimeout
			if route.Timeout > 0 {
				e.timeout = route.Timeout
				l.extendDeadlines(w, r, e.start.Add(route.Timeout))
			}
			handler.ServeHTTP(w, r)
		}
	})
}

// extendDeadlines gives a route that may take longer as much time for its body, and the usual time to respond.
func (l *Limits) extendDeadlines(w http.ResponseWriter, r *http.Request, deadline time.Time) {
	control := http.NewResponseController(w)
	if r.ContentLength != 0 { // without a body, http.Server would take it for a client that leaves
		_ = control.SetReadDeadline(deadline)
	}
	_ = control.SetWriteDeadline(deadline.Add(l.cfg.WriteTimeout - l.cfg.RequestTimeout))
}

// serveStream serves a request that may last as long as the connection. Its context is done when the listener closes,
// not at SIGTERM: until then the client would come back to this copy of the service. From then on, a client that no
// longer reads or sends is cut after half of SHUTDOWN_TIMEOUT.
func (l *Limits) serveStream(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{})
	if r.ContentLength != 0 {
		_ = control.SetReadDeadline(time.Time{})
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	closing := httpserver.Closing(ctx)
	defer httpserver.WhenDone(closing, func() {
		deadline := time.Now().Add(l.cfg.ShutdownTimeout / 2)
		_ = control.SetWriteDeadline(deadline)
		_ = control.SetReadDeadline(deadline)
		cancel(context.Cause(closing))
	})()
	handler.ServeHTTP(w, r.WithContext(ctx))
}

// serverWriter returns http.Server's own writer, which MaxBytesReader tells to close the connection.
func serverWriter(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}
