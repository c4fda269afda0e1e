package health

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
)

// GRPC answers grpc.health.v1. The empty name is alive as GET /livez is. The service and those of proto/ are ready as GET
// /readyz is. See https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
type GRPC struct {
	readiness *Readiness
	names     atomic.Pointer[[]string] // nil while the service starts
}

// NewGRPC returns the health of a service that starts. Until Start it knows any name, and no name is ready.
func NewGRPC(readiness *Readiness) *GRPC { return &GRPC{readiness: readiness} }

// Start tells the names that clients may ask for.
func (g *GRPC) Start(names ...string) { g.names.Store(&names) }

// Check implements [grpchealth.Checker].
func (g *GRPC) Check(_ context.Context, request *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	names := g.names.Load()
	switch {
	case request.Service == "":
	case names != nil && !slices.Contains(*names, request.Service):
		return nil, connect.NewError(connect.CodeNotFound, errors.New("there is no service of this name"))
	case g.readiness.Refusal() != "":
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}

// Watch implements [grpchealth.Watcher]. It looks as often as the readiness can change.
func (g *GRPC) Watch(_ context.Context, _ *grpchealth.CheckRequest, look func()) (stop func(), err error) {
	ticker := time.NewTicker(checkAge)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				look()
			case <-done:
				return
			}
		}
	}()
	return func() { ticker.Stop(); close(done) }, nil
}

// isGRPC reports whether the path is one of gRPC's probes.
func isGRPC(path string) bool { return strings.HasPrefix(path, "/"+grpchealth.HealthV1ServiceName+"/") }
