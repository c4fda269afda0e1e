package api

import "net/http"

// routes adds the routes of this service, one per line. The routes that every service has are in handler.go.
func routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/greetings", greet)
}
