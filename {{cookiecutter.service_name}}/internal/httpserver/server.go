// Package httpserver runs an HTTP server within limits, and stops it without dropping a request.
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

var errShutdownTimeout = errors.New("the service is stopping and SHUTDOWN_TIMEOUT is over")

const (
	// silentGrace is what a connection gets, once the listener is closed, to finish a request it has begun to send.
	silentGrace = 50 * time.Millisecond
	// cancelGrace is what handlers get to answer after their contexts were cancelled.
	cancelGrace = 100 * time.Millisecond
)

// Server is a listener and the http.Server on it.
type Server struct {
	variable       string
	listener       net.Listener
	cfg            config.Config
	logger         *slog.Logger
	http           *http.Server
	connections    connections
	cancelRequests context.CancelCauseFunc
}

// Listen binds the address that the environment variable has set. Clients that connect wait for Serve.
func Listen(variable, address string, handler http.Handler, cfg config.Config, logger *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return newServer(variable, listener, handler, cfg, logger), nil
}

func newServer(variable string, listener net.Listener, handler http.Handler, cfg config.Config, logger *slog.Logger) *Server {
	requests, cancelRequests := context.WithCancelCause(context.Background())
	s := &Server{variable: variable, listener: listener, cfg: cfg, logger: logger, cancelRequests: cancelRequests}
	s.http = &http.Server{
		Handler:             s.connections.watch(handler),
		ReadHeaderTimeout:   cfg.ReadHeaderTimeout,
		ReadTimeout:         cfg.ReadTimeout,
		WriteTimeout:        cfg.WriteTimeout,
		IdleTimeout:         cfg.IdleTimeout,
		MaxHeaderBytes:      cfg.MaxHeaderBytes,
		MaxHeaderValueCount: cfg.MaxHeaderCount,
		ErrorLog:            slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		BaseContext:         func(net.Listener) context.Context { return requests },
		ConnContext:         s.connections.opened,
		ConnState:           s.connections.changed,
	}
	return s
}

// Addr is the address that was bound, with the real port where 0 was asked for.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Variable is the environment variable that sets the address.
func (s *Server) Variable() string { return s.variable }

// Serve answers requests until ctx is done, and for SHUTDOWN_DELAY longer: that is the time a load balancer needs
// to notice that the service is not ready any more. Then it lets the requests in flight finish. The error says
// why it could not serve, or how many requests were still unfinished after SHUTDOWN_TIMEOUT.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("%s: %w", s.variable, err)
	case <-ctx.Done():
	}
	s.logger.Info("draining", "address", s.Addr(), "reason", context.Cause(ctx))
	time.Sleep(s.cfg.ShutdownDelay)
	return s.shutdown()
}

func (s *Server) shutdown() error {
	defer time.AfterFunc(silentGrace, s.connections.closeSilent).Stop()
	if s.shutdownHTTP(s.cfg.ShutdownTimeout) == nil {
		return nil
	}
	unfinished := s.connections.busy()
	if unfinished == 0 {
		return s.http.Close() // only silent connections were left
	}
	s.cancelRequests(errShutdownTimeout)
	_ = s.shutdownHTTP(cancelGrace)
	_ = s.http.Close()
	return fmt.Errorf("%s: requests in flight cut off after SHUTDOWN_TIMEOUT=%s: %d", s.variable, s.cfg.ShutdownTimeout, unfinished)
}

// shutdownHTTP closes the listener and waits for the open connections, at most for the given time.
func (s *Server) shutdownHTTP(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.http.Shutdown(ctx)
}
