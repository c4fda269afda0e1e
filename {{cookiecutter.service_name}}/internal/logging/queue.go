package logging

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxPending    = 1 << 20                // bytes of lines that wait to be written
	flushInterval = time.Millisecond       // how long lines are collected, to be written together
	flushTimeout  = 500 * time.Millisecond // how long flush waits for a slow reader of the log
)

// queue is an io.Writer that never blocks: a request must not hang because nobody reads the log.
type queue struct {
	mu      sync.Mutex
	pending []byte

	lost             atomic.Int64 // number of lines that did not fit or could not be written
	wake, stop, done chan struct{}
}

// Start returns a logger like [New] does, but a goroutine writes the lines to w. It also returns a function to call at
// the end. That waits until all lines are written, but not longer than flushTimeout. If too many lines are pending, new
// lines are dropped, and a later line says how many.
func Start(w io.Writer, level slog.Level, format string, found ...FromContext) (*slog.Logger, func()) {
	q := &queue{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go q.writeTo(w, New(w, slog.LevelInfo, format))
	return New(q, level, format, found...), q.flush
}

func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if len(q.pending)+len(line) <= maxPending {
		q.pending = append(q.pending, line...)
	} else {
		q.lost.Add(1)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default: // writeTo wakes up anyway
	}
	return len(line), nil
}

// writeTo writes the pending lines until flush is called. Its logger writes to w directly: the queue may be full.
func (q *queue) writeTo(w io.Writer, logger *slog.Logger) {
	defer close(q.done)
	var batch []byte
	for stopping := false; !stopping; {
		select {
		case <-q.wake:
			time.Sleep(flushInterval)
		case <-q.stop:
			stopping = true
		}
		batch = q.take(batch[:0])
		if n, err := w.Write(batch); err != nil {
			q.lost.Add(int64(bytes.Count(batch[n:], []byte("\n"))))
		} else if lost := q.lost.Swap(0); lost > 0 {
			logger.Warn("log lines lost", "count", lost)
		}
	}
}

// take returns the pending lines and replaces them with an empty buffer.
func (q *queue) take(empty []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.pending
	q.pending = empty
	return lines
}

// flush stops writeTo and waits until the pending lines are written, but not longer than flushTimeout.
func (q *queue) flush() {
	close(q.stop)
	select {
	case <-q.done:
	case <-time.After(flushTimeout):
	}
}
