// Package api is what the service offers its clients. This file, routes.go and the files of the endpoints are yours.
package api

import "context"

// Service is what the handlers share: connections, clients, caches. The handlers are its methods.
type Service struct {
	Platform
}

// New opens what the service needs. Until it returns, /livez is 200 and /readyz is 503. ctx is done when the service is
// told to stop. Tests call New too: let a client connect when it is first used, or give the tests a fake.
func New(_ context.Context, platform Platform) (*Service, error) {
	return &Service{Platform: platform}, nil
}

// Ready returns why this copy of the service wants no requests now, or nil. /readyz asks it at most once a second, and
// waits less than a second. Do not ask a dependency that all copies share, such as a database: they would all leave the
// load balancer at once. Handlers respond with ErrUnavailable instead.
func (s *Service) Ready(context.Context) error { return nil }

// Run does the work that no request asks for, until ctx is done. Then it has what is left of SHUTDOWN_TIMEOUT to return.
// An error stops the service.
func (s *Service) Run(context.Context) error { return nil }

// Close releases what New opened. The last request is over then, and Run has returned.
func (s *Service) Close(context.Context) error { return nil }
