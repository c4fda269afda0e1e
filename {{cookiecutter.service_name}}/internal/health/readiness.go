package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"{{ cookiecutter.module_path }}/internal/lifecycle"
	"{{ cookiecutter.module_path }}/internal/problem"
)

const (
	checkTimeout = 800 * time.Millisecond // a platform's probe often waits for one second
	checkAge     = time.Second            // how long a result is remembered
)

// Readiness answers GET /readyz.
type Readiness struct {
	logger   *slog.Logger
	draining func() bool

	mu      sync.Mutex // held while a check runs, so that other probes wait for its result
	check   func(context.Context) error
	checked time.Time
	failure error
	pending chan error // the result of a check that is late
}

// NewReadiness returns the readiness of a service that starts, which is 503 until Start.
func NewReadiness(logger *slog.Logger, draining func() bool) *Readiness {
	return &Readiness{logger: logger, draining: draining}
}

// Start makes /readyz ask check, at most once a second and for less than one.
func (d *Readiness) Start(check func(context.Context) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.check = check
}

// ServeHTTP responds with 503 while the service starts or drains, or if the check fails. Why it fails is for the log.
func (d *Readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refusal := d.Refusal(); refusal != "" {
		problem.Write(w, r, http.StatusServiceUnavailable, refusal)
		return
	}
	Live(w, r)
}

// Refusal says why the service is not ready, in words for clients, or "".
func (d *Readiness) Refusal() string {
	if d.draining() {
		return "The service is stopping."
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.check == nil:
		return "The service is starting."
	case d.ask() != nil:
		part := "service"
		if failed, ok := errors.AsType[PartError](d.failure); ok {
			part = failed.Part
		}
		return fmt.Sprintf("The %s is not ready. The log says why.", part)
	}
	return ""
}

// PartError is the error of a part of the service. Clients of /readyz see its name.
type PartError struct {
	Part string
	Err  error
}

func (p PartError) Error() string { return p.Part + ": " + p.Err.Error() }

// ask returns the result of the check, which may be as old as checkAge, and logs a change.
func (d *Readiness) ask() error {
	if time.Since(d.checked) < checkAge {
		return d.failure
	}
	before := d.failure
	d.failure = d.result()
	d.checked = time.Now()
	switch {
	case before == nil && d.failure != nil:
		d.logger.Warn("not ready", "error", d.failure)
	case before != nil && d.failure == nil:
		d.logger.Info("ready again")
	}
	return d.failure
}

// result waits for the check, but not longer than checkTimeout. There is never more than one check at a time. The result
// of one that ended between two probes is too old.
func (d *Readiness) result() error {
	if len(d.pending) > 0 {
		d.pending = nil
	}
	if d.pending == nil {
		d.pending = make(chan error, 1)
		go func(check func(context.Context) error, result chan<- error) {
			ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
			defer cancel()
			result <- lifecycle.Recovered(func() error { return check(ctx) })
		}(d.check, d.pending)
	}
	select {
	case err := <-d.pending:
		d.pending = nil
		return err
	case <-time.After(checkTimeout):
		return fmt.Errorf("no answer after %s", checkTimeout)
	}
}
