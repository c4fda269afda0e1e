package api

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/config"
{%- if cookiecutter.database != "none" %}
	"{{ cookiecutter.module_path }}/internal/database"
{%- endif %}
	"{{ cookiecutter.module_path }}/internal/health"
{%- if cookiecutter.rpc != "none" %}
	"{{ cookiecutter.module_path }}/internal/middleware"
{%- endif %}
	"{{ cookiecutter.module_path }}/internal/problem"
)

//go:embed openapi.yaml
var openAPI []byte

// Platform is what the template gives to the service.
type Platform struct {
{%- if cookiecutter.database != "none" %}
	Database *database.Database
{% endif %}
	Build  build.Info
	Config config.Config
	Logger *slog.Logger
}

// Handler answers the routes of this service, and those by which it is found, described and watched.
type Handler struct {
	platform  Platform
	readiness *health.Readiness
	opened    chan struct{} // closed by Open
	mux       atomic.Pointer[http.ServeMux]
{%- if cookiecutter.rpc != "none" %}

	probes      *health.GRPC
	probeLimits *middleware.Limits
	services    atomic.Pointer[[]string]
{%- endif %}
}

// startGrace is how long a request waits for a service that starts.
const startGrace = time.Second

// NewHandler returns a handler that knows the probes only, until Open.
func NewHandler(platform Platform, readiness *health.Readiness) *Handler {
	h := &Handler{platform: platform, readiness: readiness, opened: make(chan struct{})}
	mux := http.NewServeMux()
	health.Routes(mux, readiness)
{%- if cookiecutter.rpc != "none" %}
	h.probes, h.probeLimits = health.NewGRPC(readiness), limitsOfProbes(platform.Config)
	handleHealth(mux, h.probes, h.probeLimits)
{%- endif %}
	mux.HandleFunc("/", h.waitForStart)
	h.mux.Store(mux)
	return h
}

// Open calls New and adds the routes of the service.
func (h *Handler) Open(ctx context.Context) (*Service, error) {
	service, err := New(ctx, h.platform)
	if err != nil {
		return nil, err
	}
	router := newRouter(h.platform.Config)
	health.Routes(router.mux, h.readiness) // without limits: a platform restarts a service that does not respond
	router.Handle("GET /{$}", h.index())
	router.Handle("GET /openapi.yaml", fixedAnswer("application/yaml", openAPI))
	router.Handle("GET /version", fixedAnswer("application/json", mustJSON(h.platform.Build)))
	router.Handle("/", problem.Unmatched(router.mux))
	service.routes(router)
{%- if cookiecutter.database != "none" or cookiecutter.rpc != "none" %}
	service.exampleRoutes(router)
{%- endif %}
{%- if cookiecutter.rpc != "none" %}
	handleHealth(router.mux, h.probes, h.probeLimits)
	h.services.Store(router.calls)
	h.probes.Start(append(*router.calls, h.platform.Build.Service)...)
{%- endif %}
{%- if cookiecutter.database != "none" %}
	h.mux.Store(router.mux)
	h.readiness.Start(service.ready)
{%- else %}
	h.mux.Store(router.mux)
	h.readiness.Start(service.Ready)
{%- endif %}
	close(h.opened)
	return service, nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.Load().ServeHTTP(w, r) }

func (h *Handler) waitForStart(w http.ResponseWriter, r *http.Request) {
	select {
	case <-h.opened:
		h.ServeHTTP(w, r)
	case <-time.After(startGrace):
		problem.Unavailable(w, r, "The service is starting.")
	}
}

// index answers GET / with where to read on.
func (h *Handler) index() http.HandlerFunc {
	type index struct {
		Service string `json:"service"`
		Version string `json:"version"`
		OpenAPI string `json:"openapi"`
	}
	info := h.platform.Build
	return fixedAnswer("application/json", mustJSON(index{info.Service, info.Version, "/openapi.yaml"}))
}

// fixedAnswer answers with what does not change while the service runs.
func fixedAnswer(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}
}
