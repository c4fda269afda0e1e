package lifecycle

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// grace is the least time that a part has to stop, however late the parts before it were.
const grace = 100 * time.Millisecond

// task is a function that runs in a goroutine of its own.
type task struct {
	name string
	done chan struct{}
	err  error // nil until done is closed
}

// start runs f, and calls stop if it fails. If f panics, that is its error.
func start(name string, stop context.CancelCauseFunc, f func() error) *task {
	t := &task{name: name, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		if err := Recovered(f); err != nil {
			t.err = fmt.Errorf("%s: %w", name, err)
			stop(t.err)
		}
	}()
	return t
}

// wait returns the error of the task. If ctx and the grace are over first, the error names the task.
func (t *task) wait(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
	}
	select {
	case <-t.done:
		return t.err
	case <-time.After(grace):
		return fmt.Errorf("%s: not finished after SHUTDOWN_TIMEOUT", t.name)
	}
}

// Recovered calls f and returns its error. If f panics, the error has the stack.
func Recovered(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v\n%s", value, debug.Stack())
		}
	}()
	return f()
}
