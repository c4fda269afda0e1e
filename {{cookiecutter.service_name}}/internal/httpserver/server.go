// Package httpserver runs an HTTP server with timeouts and limits, and stops it without dropping a request.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
)

const (
	// idleGrace is how long open connections may still send a request after the listener closed.
	idleGrace = 50 * time.Millisecond
	// cancelGrace is how long handlers may still respond after their contexts were cancelled.
	cancelGrace = 100 * time.Millisecond
)

// Server is a listener and the http.Server on it.
type Server struct {
	Variable string // the environment variable that sets the address
	Addr     string // the bound address; if the port was set to 0, this has the real one

	listener       net.Listener
	cfg            config.Config
	logger         *slog.Logger
	http           *http.Server
	connections    connections
	cancelRequests context.CancelCauseFunc
}

// Listen binds address, the value of an environment variable. Clients can connect, but wait until Serve is called.
func Listen(variable, address string, handler http.Handler, cfg config.Config, logger *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return newServer(variable, listener, handler, cfg, logger), nil
}

func newServer(
	variable string, listener net.Listener, handler http.Handler, cfg config.Config, logger *slog.Logger,
) *Server {
	requestContext, cancelRequests := context.WithCancelCause(context.Background())
	s := &Server{Variable: variable, Addr: listener.Addr().String(), listener: listener, cfg: cfg, logger: logger}
	s.cancelRequests = cancelRequests
	s.http = &http.Server{
		Handler:             s.connections.watch(handler),
		ReadHeaderTimeout:   cfg.ReadHeaderTimeout,
		ReadTimeout:         cfg.ReadTimeout,
		WriteTimeout:        cfg.WriteTimeout,
		IdleTimeout:         cfg.IdleTimeout,
		MaxHeaderBytes:      cfg.MaxHeaderBytes,
		MaxHeaderValueCount: cfg.MaxHeaderCount,
		ErrorLog:            slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		BaseContext:         func(net.Listener) context.Context { return requestContext },
		ConnContext:         s.connections.opened,
		ConnState:           s.connections.changed,
	}
	s.http.DisableGeneralOptionsHandler = true // it would handle "OPTIONS *" before any middleware
	return s
}

// Serve handles requests until ctx is done, and for SHUTDOWN_DELAY longer, so that a load balancer can notice that the
// service is not ready. Then it waits for the requests in flight. The error says why Serve failed, or how many requests
// were unfinished after SHUTDOWN_TIMEOUT.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("%s: %w", s.Variable, err)
	case <-ctx.Done():
	}
	s.logger.Info("draining", "address", s.Addr, "reason", context.Cause(ctx))
	select {
	case <-failed: //nolint:errcheck // it stops anyway
	case <-time.After(s.cfg.ShutdownDelay):
	}
	return s.shutdown()
}

func (s *Server) shutdown() error {
	_ = s.listener.Close()
	time.Sleep(idleGrace) // http.Server.Shutdown would drop a request that is being read
	for _, idle := range s.connections.list(false) {
		_ = idle.Close()
	}
	if s.shutdownHTTP(s.cfg.ShutdownTimeout) == nil {
		return nil
	}
	unfinished := len(s.connections.list(true))
	if unfinished == 0 {
		return s.http.Close() // only idle connections were left
	}
	s.cancelRequests(errors.New("the service is stopping and SHUTDOWN_TIMEOUT is over"))
	_ = s.shutdownHTTP(cancelGrace)
	_ = s.http.Close()
	return fmt.Errorf("%s: requests in flight cut off after SHUTDOWN_TIMEOUT=%s: %d",
		s.Variable, s.cfg.ShutdownTimeout, unfinished)
}

// shutdownHTTP waits for the requests in flight, but not longer than timeout.
func (s *Server) shutdownHTTP(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.http.Shutdown(ctx)
}
