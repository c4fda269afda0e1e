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
	// pollInterval is how often shutdown looks whether hijacked connections are closed.
	pollInterval = 10 * time.Millisecond
)

// ErrStopping is the cause of a stream's cancelled context: the service stops, and the client should connect again.
var ErrStopping = errors.New("the service is stopping")

// Server is a listener and the http.Server on it.
type Server struct {
	Variable string // the environment variable that sets the address
	Addr     string // the bound address; if the port was set to 0, this has the real one

	listener       *listener
	cfg            config.Config
	http           *http.Server
	close          context.CancelCauseFunc // ends the context that Closing returns
	cancelRequests context.CancelCauseFunc
}

// closingKey is the context key of the context that Closing returns.
type closingKey struct{}

// Closing returns a context that is done when the listener closes. ctx is the context of a request.
func Closing(ctx context.Context) context.Context {
	if closing, ok := ctx.Value(closingKey{}).(context.Context); ok {
		return closing
	}
	return context.Background()
}

// WhenDone calls tell when ctx is done. The function that it returns prevents the call, or waits for its end: once a handler
// has returned, nothing may set its deadlines. On HTTP/2 that would panic.
func WhenDone(ctx context.Context, tell func()) (stop func()) {
	told := make(chan struct{})
	prevent := context.AfterFunc(ctx, func() {
		defer close(told)
		tell()
	})
	return func() {
		if !prevent() {
			<-told
		}
	}
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
	variable string, inner net.Listener, handler http.Handler, cfg config.Config, logger *slog.Logger,
) *Server {
	closing, closeStreams := context.WithCancelCause(context.Background())
	requests, cancelRequests := context.WithCancelCause(context.WithValue(context.Background(), closingKey{}, closing))
	s := &Server{
		Variable: variable, Addr: inner.Addr().String(), listener: newListener(inner, cfg.MaxConnections), cfg: cfg,
		close: closeStreams, cancelRequests: cancelRequests,
	}
	s.http = &http.Server{
		Handler:             countRequests(handler),
		ReadHeaderTimeout:   cfg.ReadHeaderTimeout,
		ReadTimeout:         cfg.ReadTimeout,
		WriteTimeout:        cfg.WriteTimeout,
		IdleTimeout:         cfg.IdleTimeout,
		MaxHeaderBytes:      cfg.MaxHeaderBytes,
		MaxHeaderValueCount: cfg.MaxHeaderCount,
		ErrorLog:            slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		BaseContext:         func(net.Listener) context.Context { return requests },
		ConnContext:         withConn,
		ConnState:           changed,
	}
	s.http.DisableGeneralOptionsHandler = true // it would handle "OPTIONS *" before any middleware
{%- if cookiecutter.rpc != "none" %}
	s.speakHTTP2()
{%- endif %}
	return s
}

// Close stops a server that does not serve.
func (s *Server) Close() { _ = s.listener.Close() }

// Serve handles requests until Shutdown. The error says why it cannot.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s: %w", s.Variable, err)
	}
	return nil
}

// Shutdown closes the listener and waits for the requests in flight until ctx is done. Then it cuts them off, and the
// error says how many there were.
func (s *Server) Shutdown(ctx context.Context) error {
	_ = s.listener.Close()
	s.close(ErrStopping)
	time.Sleep(idleGrace) // http.Server.Shutdown would drop a request that is being read
	idle, _ := s.listener.list(false)
	for _, c := range idle {
		if !c.isHTTP2.Load() { // http.Server tells HTTP/2 clients to leave (GOAWAY)
			_ = c.Close()
		}
	}
{%- if cookiecutter.rpc != "none" %}
	defer time.AfterFunc(s.cfg.ShutdownTimeout/2, s.cutDeaf).Stop()
{%- endif %}
	if s.drain(ctx) == nil {
		return nil
	}
	_, unfinished := s.listener.list(true)
	if unfinished == 0 {
		return s.http.Close() // only idle connections were left
	}
	s.cancelRequests(fmt.Errorf("%w and SHUTDOWN_TIMEOUT is over", ErrStopping))
	grace, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()
	_ = s.drain(grace)
	_ = s.http.Close()
	s.closeHijacked()
	return fmt.Errorf("%s: requests in flight cut off after SHUTDOWN_TIMEOUT=%s: %d",
		s.Variable, s.cfg.ShutdownTimeout, unfinished)
}

// drain waits for the requests in flight and for the connections that handlers took over.
func (s *Server) drain(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return err
	}
	for {
		if busy, _ := s.listener.list(true); len(busy) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

func (s *Server) closeHijacked() {
	busy, _ := s.listener.list(true)
	for _, c := range busy {
		_ = c.Close()
	}
}
