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

// reader is what reads the log: it takes a write when it is told to, and then fails where it is broken.
type reader struct {
	take   chan struct{}
	broken error
	log    strings.Builder
}

func (r *reader) Write(p []byte) (int, error) {
	<-r.take
	if r.broken != nil {
		return 0, r.broken
	}
	return r.log.Write(p)
}

func TestLinesAreWrittenInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		logger, flush := Start(&log, slog.LevelInfo, "text")
		for _, line := range []string{"one", "two", "three"} {
			logger.Info(line)
		}
		time.Sleep(gathering)
		synctest.Wait()
		logger.Info("four")
		flush()
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

func TestNobodyWaitsForAReaderThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const lines = 2 * maxPending / len("time=2000-01-01T00:00:00.000Z level=INFO msg=line\n")
		slow := &reader{take: make(chan struct{})}
		logger, flush := Start(slow, slog.LevelInfo, "text")
		begin := time.Now()
		for range lines {
			logger.Info("line")
		}
		if got := time.Since(begin); got != 0 {
			t.Errorf("logging took %s, want no time", got)
		}
		close(slow.take)
		time.Sleep(gathering)
		flush()
		var read, lost int
		for line := range strings.Lines(slow.log.String()) {
			if _, count, ok := strings.Cut(line, `msg="log lines lost" count=`); ok {
				fmt.Sscan(count, &lost) //nolint:errcheck // the sum tells
			} else {
				read++
			}
		}
		if lost == 0 || read+lost != lines {
			t.Errorf("%d lines were read and %d said to be lost, want %d together", read, lost, lines)
		}
	})
}

func TestTheEndWaitsForSlowReadersButNotForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hanging := &reader{take: make(chan struct{})}
		logger, flush := Start(hanging, slog.LevelInfo, "text")
		logger.Info("the end")
		begin := time.Now()
		flush()
		if got := time.Since(begin); got != lastLines {
			t.Errorf("waited %s, want %s", got, lastLines)
		}
		close(hanging.take)
	})
}

func TestLinesThatCannotBeWrittenAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := &reader{take: make(chan struct{}), broken: errors.New("no space left on device")}
		close(full.take)
		logger, flush := Start(full, slog.LevelInfo, "text")
		for range 2 {
			logger.Info("lost")
			time.Sleep(gathering)
			synctest.Wait()
		}
		full.broken = nil
		logger.Info("there is space again")
		time.Sleep(2 * gathering)
		synctest.Wait()
		flush()
		if want := "msg=\"log lines lost\" count=2\n"; !strings.HasSuffix(full.log.String(), want) {
			t.Errorf("the log is %q, want it to end with %q", full.log.String(), want)
		}
	})
}
