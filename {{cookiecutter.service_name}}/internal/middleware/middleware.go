// Package middleware has the code that every request passes before it reaches a route.
package middleware

import (
	"net/http"
	"slices"
	"sync/atomic"

	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// Chain wraps handler. A request passes the middlewares in the order of the arguments.
func Chain(handler http.Handler, middlewares ...func(http.Handler) http.Handler) http.Handler {
	for _, wrap := range slices.Backward(middlewares) {
		handler = wrap(handler)
	}
	return handler
}

// LimitInFlight rejects requests with 503 while limit requests are in flight. Probes always pass, because a platform
// restarts a service that does not respond to them.
func LimitInFlight(limit int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		var inFlight atomic.Int64
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if health.IsProbe(r) {
				next.ServeHTTP(w, r)
				return
			}
			n := inFlight.Add(1)
			defer inFlight.Add(-1)
			if n > int64(limit) {
				w.Header().Set("Retry-After", "1")
				problem.Refuse(w, r, http.StatusServiceUnavailable, "The service is busy. Try again.")
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// RefuseOtherTargets rejects requests for a proxy (CONNECT) or a whole server (*) with 400. The mux would respond in
// plain text.
func RefuseOtherTargets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect || r.RequestURI == "*" {
			w.Header().Set("Connection", "close") // the next bytes may not be a request
			problem.Write(w, r, http.StatusBadRequest, "The target of the request must be a path.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// RefuseCrossOrigin rejects a browser's cross-origin requests with 403, except GET, HEAD and OPTIONS. Other clients are
// not affected. See https://pkg.go.dev/net/http#CrossOriginProtection.
func RefuseCrossOrigin() func(http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.Refuse(w, r, http.StatusForbidden, "Requests from the pages of another origin are refused.")
	}))
	return protection.Handler
}

// LimitBody rejects a body of more than limit bytes. If the Content-Length is larger, it responds with 413 at once.
// Otherwise the handler gets an [http.MaxBytesError] when it reads past the limit.
func LimitBody(limit int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > int64(limit) {
				problem.BodyTooLarge(w, r, int64(limit))
				return
			}
			if r.ContentLength != 0 {
				serverWriter := w // MaxBytesReader needs http.Server's own writer to close the connection
				if e, ok := w.(*exchange); ok {
					serverWriter = e.ResponseWriter
				}
				r.Body = http.MaxBytesReader(serverWriter, r.Body, int64(limit))
			}
			next.ServeHTTP(w, r)
		})
	}
}
