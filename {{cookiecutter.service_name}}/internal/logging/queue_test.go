package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// blockingWriter blocks until unblock is closed. Then a Write fails if err is set.
type blockingWriter struct {
	unblock chan struct{}
	err     error
	log     strings.Builder
}

func (w *blockingWriter) Write(p []byte) (int, error) {
	<-w.unblock
	if w.err != nil {
		return 0, w.err
	}
	return w.log.Write(p)
}

func TestLinesAreWrittenInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		logger, queue := Start(&log, slog.LevelInfo, "text")
		for _, line := range []string{"one", "two", "three"} {
			logger.Info(line)
		}
		time.Sleep(flushInterval)
		synctest.Wait()
		logger.Info("four")
		queue.Flush()
		var got strings.Builder
		for line := range strings.Lines(log.String()) {
			_, message, _ := strings.Cut(line, "msg=")
			got.WriteString(message)
		}
		if want := "one\ntwo\nthree\nfour\n"; got.String() != want {
			t.Errorf("the log is %q, want %q", got.String(), want)
		}
	})
}

func TestLoggingDoesNotBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const lines = 2 * maxPending / len("time=2000-01-01T00:00:00.000Z level=INFO msg=line\n")
		slow := &blockingWriter{unblock: make(chan struct{})}
		logger, queue := Start(slow, slog.LevelInfo, "text")
		start := time.Now()
		for range lines {
			logger.Info("line")
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("logging took %s, want 0s", got)
		}
		close(slow.unblock)
		time.Sleep(flushInterval)
		queue.Flush()
		var written, lost int
		for line := range strings.Lines(slow.log.String()) {
			if _, count, ok := strings.Cut(line, `msg="log lines lost" count=`); ok {
				fmt.Sscan(count, &lost) //nolint:errcheck // the sum below would be wrong
			} else {
				written++
			}
		}
		if lost == 0 || written+lost != lines {
			t.Errorf("%d lines are written and %d reported lost, want %d together", written, lost, lines)
		}
	})
}

func TestFlushStopsWaitingAfterTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		blocked := &blockingWriter{unblock: make(chan struct{})}
		logger, queue := Start(blocked, slog.LevelInfo, "text")
		logger.Info("last line")
		start := time.Now()
		queue.Flush()
		if got := time.Since(start); got != flushTimeout {
			t.Errorf("flush waited %s, want %s", got, flushTimeout)
		}
		close(blocked.unblock)
	})
}

func TestLinesThatCannotBeWrittenAreCountedAsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := &blockingWriter{unblock: make(chan struct{}), err: errors.New("no space left on device")}
		close(full.unblock)
		logger, queue := Start(full, slog.LevelInfo, "text")
		for range 2 {
			logger.Info("lost")
			time.Sleep(flushInterval)
			synctest.Wait()
		}
		full.err = nil
		logger.Info("there is space again")
		time.Sleep(2 * flushInterval)
		synctest.Wait()
		queue.Flush()
		if want := "msg=\"log lines lost\" count=2\n"; !strings.HasSuffix(full.log.String(), want) {
			t.Errorf("the log is %q, want it to end with %q", full.log.String(), want)
		}
	})
}
