// Package api is what the service offers its clients.
package api

import (
	_ "embed"
	"net/http"
	"strings"

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/problem"
)

//go:embed openapi.yaml
var openAPI []byte

// Routes is every route of the service, and the one place that names them.
func Routes(info build.Info, draining func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/greetings", greet)

	mux.HandleFunc("GET /{$}", index(info))
	mux.HandleFunc("GET /openapi.yaml", static("application/yaml", openAPI))
	mux.HandleFunc("GET /version", static("application/json", mustJSON(info)))
	mux.HandleFunc("GET "+health.LivePath, health.Live)
	mux.HandleFunc("GET "+health.ReadyPath, health.Ready(draining))
	mux.HandleFunc("/", unmatched(mux))
	return mux
}

// index answers GET / with where to read on.
func index(info build.Info) http.HandlerFunc {
	return static("application/json", mustJSON(struct {
		Service string `json:"service"`
		Version string `json:"version"`
		OpenAPI string `json:"openapi"`
	}{info.Service, info.Version, "/openapi.yaml"}))
}

// static answers with what does not change while the service runs.
func static(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}
}

// unmatched answers what no route took: 405 with Allow where one would take the path with another method, else 404.
// The mux would do the same by itself, but in plain text.
func unmatched(mux *http.ServeMux) http.HandlerFunc {
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range methods {
			other := &http.Request{Method: method, Host: r.Host, URL: r.URL}
			if _, pattern := mux.Handler(other); pattern != r.Pattern {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			problem.Write(w, r, http.StatusNotFound, "There is nothing at this path.")
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		problem.Write(w, r, http.StatusMethodNotAllowed, "This path does not take the method "+r.Method+".")
	}
}
