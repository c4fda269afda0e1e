package health

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// probe is a Readiness with its log, in a synctest bubble, where time advances only while everything waits.
type probe struct {
	*Readiness
	log      strings.Builder
	draining bool
}

func newProbe() *probe {
	p := new(probe)
	p.Readiness = NewReadiness(slog.New(slog.NewTextHandler(&p.log, nil)), func() bool { return p.draining })
	return p
}

func (p *probe) status() int {
	recorder := httptest.NewRecorder()
	p.ServeHTTP(recorder, httptest.NewRequest("GET", "/readyz", nil))
	return recorder.Code
}

func (p *probe) expect(t *testing.T, want int, when string) {
	t.Helper()
	if got := p.status(); got != want {
		t.Errorf("%s: status %d, want %d", when, got, want)
	}
}

func TestReadyAfterTheStartAndUntilTheStop(t *testing.T) {
	t.Parallel()
	p := newProbe()
	p.expect(t, http.StatusServiceUnavailable, "while it starts")
	p.Start(func(context.Context) error { return nil })
	p.expect(t, http.StatusOK, "after the start")
	p.draining = true
	p.expect(t, http.StatusServiceUnavailable, "while it drains")
}

func TestResultIsRememberedForASecondAndItsChangesAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, calls := newProbe(), 0
		var failure error
		p.Start(func(context.Context) error { calls++; return failure })
		p.expect(t, http.StatusOK, "first")
		failure = errors.New("disk full")
		p.expect(t, http.StatusOK, "within the second")
		time.Sleep(checkAge)
		p.expect(t, http.StatusServiceUnavailable, "after the second")
		p.expect(t, http.StatusServiceUnavailable, "within the next")
		failure = nil
		time.Sleep(checkAge)
		p.expect(t, http.StatusOK, "after the failure")
		if calls != 3 {
			t.Errorf("the check was called %d times, want 3", calls)
		}
		log := p.log.String()
		if strings.Count(log, "\n") != 2 || !strings.Contains(log, `error="disk full"`) || !strings.Contains(log, "ready again") {
			t.Errorf("log %q, want a line for each change", log)
		}
	})
}

func TestCheckThatHangsOrPanicsIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, release := newProbe(), make(chan struct{})
		var running atomic.Int32
		p.Start(func(context.Context) error { running.Add(1); <-release; return nil })
		before := time.Now()
		for range 3 {
			p.expect(t, http.StatusServiceUnavailable, "while the check hangs")
			time.Sleep(checkAge)
		}
		if took := time.Since(before) / 3; took >= 2*time.Second || running.Load() != 1 {
			t.Errorf("a probe and its pause took %s, %d checks run; want less than 2s and 1", took, running.Load())
		}
		go func() { time.Sleep(checkTimeout / 2); close(release) }()
		p.expect(t, http.StatusOK, "when the check returns")
		p.Start(func(context.Context) error { panic("boom") })
		time.Sleep(checkAge)
		p.expect(t, http.StatusServiceUnavailable, "after a panic")
	})
}

func TestCheckThatIsAlwaysLateIsNeverReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProbe()
		p.Start(func(context.Context) error { time.Sleep(checkTimeout + checkTimeout/8); return nil })
		for range 3 {
			p.expect(t, http.StatusServiceUnavailable, "late")
			time.Sleep(checkAge)
		}
	})
}
