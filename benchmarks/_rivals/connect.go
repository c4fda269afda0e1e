// The bare server that calls are compared with: connect-go with the same procedure on the same http.Server, and nothing
// around it.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	greetingsv1 "github.com/acme/my-service/internal/gen/greetings/v1"
	"github.com/acme/my-service/internal/gen/greetings/v1/greetingsv1connect"
)

type greetings struct {
	greetingsv1connect.UnimplementedGreetingServiceHandler
}

func (greetings) Greet(
	_ context.Context, request *greetingsv1.GreetRequest,
) (*greetingsv1.GreetResponse, error) {
	return &greetingsv1.GreetResponse{Message: "Hello, " + request.Name + "!"}, nil
}

func main() {
	address := flag.String("address", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.Handle(greetingsv1connect.NewGreetingServiceHandler(greetings{}))
	server := &http.Server{
		Addr: *address, Handler: mux, Protocols: new(http.Protocols),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 40 * time.Second,
		IdleTimeout: 90 * time.Second, MaxHeaderBytes: 65536, MaxHeaderValueCount: 100,
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	log.Fatal(server.ListenAndServe())
}
