package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
)

// trace records what happened, in order.
type trace struct {
	mu    sync.Mutex
	steps []string
}

func (t *trace) add(step string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps = append(t.steps, step)
}

// fake is a service that does what its functions say.
type fake struct {
	run, close func(context.Context) error
}

func (f *fake) Run(ctx context.Context) error   { return f.run(ctx) }
func (f *fake) Close(ctx context.Context) error { return f.close(ctx) }

func waitFor(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func nothing(context.Context) error { return nil }

// program is a running service. It is stopped by stop, and its error is what done receives.
type program struct {
	url  string
	stop func()
	done chan error
}

// run starts parts with the service on a free port.
func run(t *testing.T, handler http.HandlerFunc, open func(context.Context) (Service, error)) *program {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	_ = taken.Close()
	ctx, stop := context.WithCancelCause(t.Context())
	p := &program{url: fmt.Sprintf("http://127.0.0.1:%d/", port), done: make(chan error, 1)}
	p.stop = func() { stop(errors.New("told to")) }
	cfg := config.Config{Port: port, MaxConnections: 9, ShutdownTimeout: 300 * time.Millisecond}
	go func() {
		p.done <- Run(ctx, stop, Parts{
			Config: cfg, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Main: handler, Open: open,
		})
	}()
	return p
}

func (p *program) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("Run() does not return")
		return nil
	}
}

func TestPartsStopInOrder(t *testing.T) {
	t.Parallel()
	var steps trace
	opened, arrived := make(chan struct{}), make(chan struct{})
	p := run(t, func(http.ResponseWriter, *http.Request) {
		close(arrived)
		time.Sleep(100 * time.Millisecond)
		steps.add("request")
	}, func(context.Context) (Service, error) {
		close(opened)
		return &fake{
			run: func(ctx context.Context) error {
				<-ctx.Done()
				steps.add("worker")
				return ctx.Err()
			},
			close: func(context.Context) error { steps.add("close"); return nil },
		}, nil
	})
	<-opened
	go func() {
		if response, err := http.Get(p.url); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	}()
	<-arrived
	p.stop()
	if err := p.result(t); err != nil {
		t.Errorf("Run() = %v", err)
	}
	if want := []string{"request", "worker", "close"}; !slices.Equal(steps.steps, want) {
		t.Errorf("order %v, want %v", steps.steps, want)
	}
}

func TestFailuresStopTheServiceAndAreNamed(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	serviceWith := func(run, closing func(context.Context) error) func(context.Context) (Service, error) {
		return func(context.Context) (Service, error) { return &fake{run, closing}, nil }
	}
	tests := []struct {
		name string
		open func(context.Context) (Service, error)
		stop bool
		want string // "" is no error
	}{
		{"start", func(context.Context) (Service, error) { return nil, boom }, false, "service: cannot start: boom"},
		{"start that panics", func(context.Context) (Service, error) { panic("boom") }, false, "service: panic: boom"},
		{"start that is told to stop", func(ctx context.Context) (Service, error) { return nil, waitFor(ctx) }, true, ""},
		{"worker", serviceWith(func(context.Context) error { return boom }, nothing), false, "service: boom"},
		{"worker that panics", serviceWith(func(context.Context) error { panic("boom") }, nothing), false, "panic: boom"},
		{"worker that hangs", serviceWith(func(context.Context) error { select {} }, nothing), true, "service: not finished"},
		{"worker that ends early", serviceWith(nothing, nothing), true, ""},
		{"close", serviceWith(waitFor, func(context.Context) error { return boom }), true, "service: close: boom"},
		{"close that hangs", serviceWith(waitFor, func(context.Context) error { select {} }), true, "close: not finished"},
		{"close that gives up", serviceWith(waitFor, waitFor), true, "close: context deadline exceeded"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opening := make(chan struct{})
			p := run(t, func(http.ResponseWriter, *http.Request) {}, func(ctx context.Context) (Service, error) {
				close(opening)
				return test.open(ctx)
			})
			<-opening
			if test.stop {
				p.stop()
			}
			err := p.result(t)
			if got := fmt.Sprint(err); (err == nil) != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("Run() = %v, want %q", err, test.want)
			}
		})
	}
}

func TestCloseHasTimeAfterAWorkerThatHangs(t *testing.T) {
	t.Parallel()
	opening := make(chan struct{})
	p := run(t, func(http.ResponseWriter, *http.Request) {}, func(context.Context) (Service, error) {
		defer close(opening)
		return &fake{
			run:   func(context.Context) error { select {} },
			close: func(ctx context.Context) error { return ctx.Err() },
		}, nil
	})
	<-opening
	p.stop()
	if err := p.result(t); err == nil || strings.Contains(err.Error(), "close") {
		t.Errorf("Run() = %v, want the worker's error alone", err)
	}
}

func TestNothingStaysOpenIfTheSecondListenerCannotStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	ctx, stop := context.WithCancelCause(t.Context())
	admin := Listener{Variable: "ADMIN_ADDR", Address: taken.Addr().String()}
	parts := Parts{Config: config.Config{Port: port}, Logger: slog.New(slog.DiscardHandler), Others: []Listener{admin}}
	err = Run(ctx, stop, parts)
	if err == nil || !strings.HasPrefix(err.Error(), "ADMIN_ADDR: ") {
		t.Errorf("Run() = %v, want an error that names ADMIN_ADDR", err)
	}
	again, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		t.Fatalf("PORT is still open: %v", err)
	}
	_ = again.Close()
}
