// Package api is what the service offers its clients.
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

// Handler answers the routes of this service, and those by which it is found, described and watched.
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

// indexPage answers GET / with where to read on.
func indexPage(info build.Info) http.HandlerFunc {
	type index struct {
		Service string `json:"service"`
		Version string `json:"version"`
		OpenAPI string `json:"openapi"`
	}
	return fixedAnswer("application/json", mustJSON(index{info.Service, info.Version, "/openapi.yaml"}))
}

// fixedAnswer answers with what does not change while the service runs.
func fixedAnswer(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}
}
