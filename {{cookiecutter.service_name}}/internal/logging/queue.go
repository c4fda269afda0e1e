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
	maxPending = 1 << 20                // bytes of lines that wait for a slow reader of the log
	gathering  = time.Millisecond       // how long a line waits for others, to be written together
	lastLines  = 500 * time.Millisecond // how long the end of the process waits for a slow reader
)

// queue is an io.Writer that never makes its callers wait: a request must not hang because nobody reads the log.
type queue struct {
	mu      sync.Mutex
	pending []byte

	lost             atomic.Int64 // lines that did not fit or could not be written
	wake, end, ended chan struct{}
}

// Start returns a logger like that of [New] whose lines a goroutine writes to w, and a function that waits until they
// are written, lastLines at most. Lines that nobody reads are dropped in the end, and a line says how many.
func Start(w io.Writer, level slog.Level, format string) (*slog.Logger, func()) {
	q := &queue{wake: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{})}
	go q.writeTo(w, New(w, slog.LevelInfo, format))
	return New(q, level, format), q.flush
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
	default: // it will wake anyway
	}
	return len(line), nil
}

// writeTo writes what waits until flush. Its own logger goes around the queue, which has no place for its line when full.
func (q *queue) writeTo(w io.Writer, logger *slog.Logger) {
	defer close(q.ended)
	var batch []byte
	for ending := false; !ending; {
		select {
		case <-q.wake:
			time.Sleep(gathering)
		case <-q.end:
			ending = true
		}
		batch = q.take(batch[:0])
		if n, err := w.Write(batch); err != nil {
			q.lost.Add(int64(bytes.Count(batch[n:], []byte("\n"))))
		} else if lost := q.lost.Swap(0); lost > 0 {
			logger.Warn("log lines lost", "count", lost)
		}
	}
}

// take returns the lines that wait and leaves an empty buffer in their place.
func (q *queue) take(empty []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.pending
	q.pending = empty
	return lines
}

// flush ends the writing when the lines that wait are written, or after lastLines.
func (q *queue) flush() {
	close(q.end)
	select {
	case <-q.ended:
	case <-time.After(lastLines):
	}
}
