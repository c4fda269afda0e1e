package api

import (
	"net/http"
	"slices"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

// Router collects the routes of the service. All its routes have the limits of the configuration, and options may
// change those of a single route.
type Router struct {
	mux         *http.ServeMux
	limits      *middleware.Limits
	cfg         config.Config
	middlewares []middleware.Middleware
	patterns    *[]string // of all routes, for the test of openapi.yaml
{%- if cookiecutter.rpc != "none" %}
	calls       *[]string // the names of the services with procedures
{%- endif %}
}

func newRouter(cfg config.Config) *Router {
	return &Router{
		mux: http.NewServeMux(), limits: middleware.NewLimits(cfg), cfg: cfg, patterns: new([]string){% if cookiecutter.rpc != "none" %}, calls: new([]string){% endif %},
	}
}

// RouteOption changes the limits of one route.
type RouteOption func(*middleware.Route)

// MaxBody replaces MAX_BODY_BYTES for a route. A client still has READ_TIMEOUT to send its body: see Timeout.
func MaxBody(bytes int64) RouteOption {
	return func(route *middleware.Route) { route.MaxBody = bytes }
}

// Timeout replaces REQUEST_TIMEOUT for a route. A client has as long to send its body, and WRITE_TIMEOUT is extended.
func Timeout(d time.Duration) RouteOption {
	return func(route *middleware.Route) { route.Timeout = d }
}

// Stream is for routes that respond as long as the client listens: server-sent events, long polls, WebSockets. They have
// no deadline and count for MAX_STREAMS, not for MAX_IN_FLIGHT. When the listener closes, the request's context is done
// with the cause [httpserver.ErrStopping]; the handler can still send a last message, and should return.
func Stream() RouteOption {
	return func(route *middleware.Route) { route.Stream = true }
}

// Handle adds a route. The pattern is one of [http.ServeMux]. It panics if the pattern is wrong or there already.
func (r *Router) Handle(pattern string, handler http.HandlerFunc, options ...RouteOption) {
	route := middleware.Route{Pattern: pattern, MaxBody: int64(r.cfg.MaxBodyBytes)}
	for _, option := range options {
		option(&route)
	}
	*r.patterns = append(*r.patterns, pattern)
	r.mux.Handle(pattern, r.limits.Apply(route, middleware.Chain(withoutFiles(handler), r.middlewares...)))
}

// withoutFiles removes the files of an uploaded form at the end. http.Server only does so for its own request, and
// middlewares hand on copies.
func withoutFiles(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if r.MultipartForm != nil {
				_ = r.MultipartForm.RemoveAll()
			}
		}()
		handler(w, r)
	}
}

// With returns a router whose routes also pass the middlewares, after the limits. For all routes of the service, begin
// with r = r.With(...).
func (r *Router) With(middlewares ...middleware.Middleware) *Router {
	group := *r
	group.middlewares = slices.Concat(r.middlewares, middlewares)
	return &group
}
