// Package middleware is what every request passes before it reaches a route.
package middleware

import (
	"net/http"
	"slices"
	"sync/atomic"

	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// Chain wraps handler so that a request passes the middlewares in the order they are written.
func Chain(handler http.Handler, middlewares ...func(http.Handler) http.Handler) http.Handler {
	for _, wrap := range slices.Backward(middlewares) {
		handler = wrap(handler)
	}
	return handler
}

// LimitInFlight refuses requests with 503 while limit of them are being served. Probes always pass: a platform that
// cannot ask a busy service would take it for a dead one.
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

// RefuseOtherTargets refuses with 400 what is meant for a proxy or a whole server and not for a path. A mux would answer
// it in plain text.
func RefuseOtherTargets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect || r.RequestURI == "*" {
			w.Header().Set("Connection", "close") // who knows what follows
			problem.Write(w, r, http.StatusBadRequest, "The target of the request has to be a path.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// RefuseCrossOrigin refuses with 403 what a page of another site makes a browser send. Clients that are not browsers
// are not affected: https://pkg.go.dev/net/http#CrossOriginProtection.
func RefuseCrossOrigin() func(http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.Refuse(w, r, http.StatusForbidden, "Requests from the pages of another origin are refused.")
	}))
	return protection.Handler
}

// LimitBody refuses bodies of more than limit bytes with 413: at once where the client tells the size, else when
// the handler has read that much (see [http.MaxBytesError]).
func LimitBody(limit int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > int64(limit) {
				problem.BodyTooLarge(w, r, int64(limit))
				return
			}
			if r.ContentLength != 0 {
				server := w // what http.Server made: only through it can MaxBytesReader close the connection
				if e, ok := w.(*exchange); ok {
					server = e.ResponseWriter
				}
				r.Body = http.MaxBytesReader(server, r.Body, int64(limit))
			}
			next.ServeHTTP(w, r)
		})
	}
}
