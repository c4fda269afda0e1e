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

// Queue has the lines that wait to be written. It never blocks: a request must not hang because nobody reads the log.
type Queue struct {
	mu      sync.Mutex
	pending []byte

	lost             atomic.Int64 // number of lines that did not fit or could not be written
	wake, stop, done chan struct{}
}

// Start returns a logger like [New] does, but a goroutine writes the lines to w. If too many lines are pending, new lines
// are dropped, and a later line says how many. Flush the queue at the end.
func Start(w io.Writer, level slog.Level, format string, found ...FromContext) (*slog.Logger, *Queue) {
	q := &Queue{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go q.writeTo(w, New(w, slog.LevelInfo, format))
	return New(q, level, format, found...), q
}

// Write adds a line, or drops it.
func (q *Queue) Write(line []byte) (int, error) {
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

// writeTo writes the pending lines until Flush is called. Its logger writes to w directly: the queue may be full.
func (q *Queue) writeTo(w io.Writer, logger *slog.Logger) {
	defer close(q.done)
	var batch []byte
	var reported int64
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
		} else if lost := q.Lost(); lost > reported {
			logger.Warn("log lines lost", "count", lost-reported)
			reported = lost
		}
	}
}

// Lost returns how many lines were lost since the start.
func (q *Queue) Lost() int64 { return q.lost.Load() }

// take returns the pending lines and replaces them with an empty buffer.
func (q *Queue) take(empty []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.pending
	q.pending = empty
	return lines
}

// Flush stops writeTo and waits until the pending lines are written, but not longer than flushTimeout.
func (q *Queue) Flush() {
	close(q.stop)
	select {
	case <-q.done:
	case <-time.After(flushTimeout):
	}
}
