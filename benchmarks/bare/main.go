// The bare handler that a baked service is compared with: the same answer behind the same limits, and nothing else.
package main

import (
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	body := []byte(os.Args[2])
	server := &http.Server{
		Addr: os.Args[1],
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		}),
		ReadHeaderTimeout:   5 * time.Second,
		ReadTimeout:         10 * time.Second,
		WriteTimeout:        40 * time.Second,
		IdleTimeout:         90 * time.Second,
		MaxHeaderBytes:      65536,
		MaxHeaderValueCount: 100,
	}
	log.Fatal(server.ListenAndServe())
}
