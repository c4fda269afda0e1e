// The same procedure on grpc-go, which has an HTTP/2 of its own.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"

	"google.golang.org/grpc"

	greetingsv1 "github.com/acme/my-service/internal/gen/greetings/v1"
)

func main() {
	address := flag.String("address", "127.0.0.1:8080", "where to listen")
	live := flag.String("live", "127.0.0.1:8081", "where to answer /livez by HTTP/1, when calls are answered too")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	go func() { log.Fatal(http.ListenAndServe(*live, nil)) }()
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "greetings.v1.GreetingService",
		Methods:     []grpc.MethodDesc{{MethodName: "Greet", Handler: greet}},
	}, nil)
	log.Fatal(server.Serve(listener))
}

// greet is what protoc-gen-go-grpc would write, with the procedure in it.
func greet(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new(greetingsv1.GreetRequest)
	if err := decode(request); err != nil {
		return nil, err
	}
	return &greetingsv1.GreetResponse{Message: "Hello, " + request.Name + "!"}, nil
}
