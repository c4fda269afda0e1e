// The bare handler that a baked service is compared with: the same answer behind the same limits, and nothing else. With
// -no-limits, for information, not even those.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:8080", "where to listen")
	body := flag.String("body", "{}", "the answer")
	noLimits := flag.Bool("no-limits", false, "set no timeouts and no limits of headers")
	flag.Parse()
	answer := []byte(*body)
	server := &http.Server{
		Addr: *address,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(answer)
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
