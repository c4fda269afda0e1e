// The bare server that a service is compared with. It sends the same response with the same timeouts and header limits,
// and has no middleware. With -no-limits it has no limits either.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:8080", "where to listen")
	body := flag.String("body", "{}", "the response body")
	noLimits := flag.Bool("no-limits", false, "set no timeouts and no header limits")
	flag.Parse()
	response := []byte(*body)
	server := &http.Server{
		Addr: *address,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(response)
		}),
		ReadHeaderTimeout:   5 * time.Second,
		ReadTimeout:         10 * time.Second,
		WriteTimeout:        40 * time.Second,
		IdleTimeout:         90 * time.Second,
		MaxHeaderBytes:      65536,
		MaxHeaderValueCount: 100,
	}
	if *noLimits {
		server = &http.Server{Addr: server.Addr, Handler: server.Handler}
	}
	log.Fatal(server.ListenAndServe())
}
