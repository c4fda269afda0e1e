// Package api has the routes of the service and their handlers.
package api

import (
	_ "embed"
	"net/http"

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/problem"
)

//go:embed openapi.yaml
var openAPI []byte

// Handler serves the routes of this service, and those that every service has: index, description, version and probes.
func Handler(info build.Info, draining func() bool) http.Handler {
	mux := http.NewServeMux()
	routes(mux)

	mux.HandleFunc("GET /{$}", indexPage(info))
	mux.HandleFunc("GET /openapi.yaml", fixedAnswer("application/yaml", openAPI))
	mux.HandleFunc("GET /version", fixedAnswer("application/json", mustJSON(info)))
	mux.HandleFunc("GET /livez", health.Live)
	mux.HandleFunc("GET /readyz", health.Ready(draining))
	mux.HandleFunc("/", problem.Unmatched(mux))
	return mux
}

// indexPage handles GET /. It names the service and links to its API description.
func indexPage(info build.Info) http.HandlerFunc {
	type index struct {
		Service string `json:"service"`
		Version string `json:"version"`
		OpenAPI string `json:"openapi"`
	}
	return fixedAnswer("application/json", mustJSON(index{info.Service, info.Version, "/openapi.yaml"}))
}

// fixedAnswer always sends the same response.
func fixedAnswer(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}
}
