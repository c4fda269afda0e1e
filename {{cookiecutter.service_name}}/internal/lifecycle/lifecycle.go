// Package lifecycle starts the parts of the service and stops them in order, each within a bound.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/httpserver"
)

// Service is the part that is this service's own.
type Service interface {
	Run(ctx context.Context) error
	Close(ctx context.Context) error
}

// Parts are what Run starts and stops.
type Parts struct {
	Config  config.Config
	Logger  *slog.Logger
	Version string
	Main    http.Handler // on PORT
	Others  []Listener   // each with connections of its own: operators and probes get through

	// Open returns the service when it can handle requests.
	Open func(ctx context.Context) (Service, error)
}

// Listener is an address beside PORT to serve on.
type Listener struct {
	Variable string // the environment variable that sets the address
	Address  string // "" is off
	Handler  http.Handler
}

// Run serves until ctx is done or a part fails, which calls stop with the reason. Then it waits for SHUTDOWN_DELAY, and
// stops the main listener, the workers, the service and the other listeners, one after the other. Together they have
// SHUTDOWN_TIMEOUT. A part that does not finish is named in the error and does not keep the others from stopping.
func Run(ctx context.Context, stop context.CancelCauseFunc, p Parts) error {
	servers, err := p.listen()
	if err != nil {
		return err
	}
	var serving []*task
	for _, server := range servers {
		serving = append(serving, start("listener", stop, server.Serve))
		p.Logger.Info("listening", "address", server.Addr, "variable", server.Variable, "version", p.Version)
	}
	work, stopWork := context.WithCancel(context.Background())
	defer stopWork()
	opened := make(chan Service, 1)
	working := start("service", stop, func() error { return p.work(ctx, work, opened) })

	<-ctx.Done()
	p.Logger.Info("draining", "reason", context.Cause(ctx))
	if len(opened) > 0 {
		time.Sleep(p.Config.ShutdownDelay)
	}
	deadline, cancel := context.WithTimeout(context.Background(), p.Config.ShutdownTimeout)
	defer cancel()
	errs := []error{servers[0].Shutdown(deadline)}
	stopWork()
	errs = append(errs, working.wait(deadline))
	select {
	case service := <-opened:
		errs = append(errs, closeService(deadline, stop, service))
	default: // it did not start
	}
	for _, other := range servers[1:] {
		errs = append(errs, other.Shutdown(deadline))
	}
	for _, listener := range serving {
		errs = append(errs, listener.wait(deadline))
	}
	return errors.Join(errs...)
}

// listen binds all addresses, or none of them.
func (p Parts) listen() ([]*httpserver.Server, error) {
	main := Listener{"PORT", fmt.Sprintf(":%d", p.Config.Port), p.Main}
	var servers []*httpserver.Server
	cfg := p.Config
	for _, l := range append([]Listener{main}, p.Others...) {
		if l.Address == "" {
			continue
		}
		server, err := httpserver.Listen(l.Variable, l.Address, l.Handler, cfg, p.Logger)
		if err != nil {
			for _, bound := range servers {
				bound.Close()
			}
			return nil, err
		}
		servers = append(servers, server)
		cfg.MaxConnections = 256 // so few that a flood there takes no file descriptors from PORT
	}
	return servers, nil
}

// work opens the service and runs its workers until the context work is done.
func (p Parts) work(ctx, work context.Context, opened chan<- Service) error {
	service, err := p.Open(ctx)
	if err != nil {
		return unlessTold(ctx, fmt.Errorf("cannot start: %w", err))
	}
	opened <- service
	return unlessTold(work, service.Run(work))
}

// unlessTold returns err, or nil if err only says that ctx was cancelled.
func unlessTold(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

// closeService closes the service before the deadline, or within the grace if that is later.
func closeService(deadline context.Context, stop context.CancelCauseFunc, service Service) error {
	until, _ := deadline.Deadline()
	ctx, cancel := context.WithTimeout(context.Background(), max(time.Until(until), grace))
	defer cancel()
	return start("service: close", stop, func() error { return service.Close(ctx) }).wait(ctx)
}
