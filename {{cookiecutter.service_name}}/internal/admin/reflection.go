package admin

import (
	"net/http"

	"connectrpc.com/grpcreflect"
)

// namer returns the names of the services with procedures.
type namer func() []string

// Names implements [grpcreflect.Namer].
func (n namer) Names() []string { return n() }

// reflection adds gRPC's reflection, by which clients such as grpcurl learn what they can call. It describes the whole API, so
// it is not on PORT. See https://github.com/grpc/grpc/blob/master/doc/server-reflection.md.
func reflection(mux *http.ServeMux, services namer) {
	reflector := grpcreflect.NewReflector(services)
	mux.Handle(grpcreflect.NewHandlerV1(reflector))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector)) // for clients from before 2023
}
