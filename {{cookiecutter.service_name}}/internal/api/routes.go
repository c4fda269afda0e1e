package api

import "net/http"

// routes is every route of this service, a line each. What all services have beside them is in handler.go.
func routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/greetings", greet)
}
