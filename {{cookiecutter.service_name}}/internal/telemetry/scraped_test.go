{%- from "telemetry.jinja" import telemetry with context -%}
package telemetry

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

// scrape returns what a request of Prometheus gets.
func scrape(t *testing.T, metrics http.Handler) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	metrics.ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	if recorder.Code != http.StatusOK {
		t.Fatalf("GET /metrics: status %d", recorder.Code)
	}
	return recorder.Body.String()
}

func TestEveryRequestIsCountedOnce(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	watched := Start(build.Info{Version: "1.2.3"}, logger, func() int64 { return 42 })
	handler := middleware.Observe(logger, func() bool { return false }, watched.Observers...)(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if !strings.Contains(scrape(t, watched.Metrics), "\nhttp_server_active_requests 1\n") {
				t.Error("the request is not in flight")
			}
			if r.URL.Path == "/refused" {
				middleware.NoteRefusal(r.Context(), "MAX_IN_FLIGHT")
			}
			if r.URL.Path == "/panic" {
				panic("boom")
			}
		}))
	for _, path := range []string{"/", "/panic", "/refused"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	if got := testutil.ToFloat64(watched.Observers[len(watched.Observers)-1].(*metrics).panics); got != 1 {
		t.Errorf("%v panics, want 1", got)
	}
	const duration = `http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code=`
	for _, want := range []string{
		duration + `"200",http_route=""{% if cookiecutter.rpc != "none" %},rpc_response_status_code=""{% endif %}} 2`,
		duration + `"500",http_route=""{% if cookiecutter.rpc != "none" %},rpc_response_status_code=""{% endif %}} 1`,
		`http_server_refused_requests_total{reason="MAX_IN_FLIGHT"} 1`,
		`http_server_active_requests 0`,
		`log_lines_lost_total 42`,
		`version="1.2.3"`,
		`go_goroutines`,
	} {
		if metrics := scrape(t, watched.Metrics); !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

// deadlined is a ResponseWriter that notes its deadline.
type deadlined struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (d *deadlined) SetWriteDeadline(deadline time.Time) error {
	d.deadline = deadline
	return nil
}

func TestAScrapeEndsIfACollectorHangsOrTheClientDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		metrics := newMetrics(build.Info{}, func() int64 { return 0 }{% if telemetry.traced %}, func() int64 { return 0 }{% endif %})
		hang := make(chan struct{})
		defer close(hang)
		metrics.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hangs"}, func() float64 {
			<-hang
			return 0
		}))
		w, begin := &deadlined{ResponseRecorder: httptest.NewRecorder()}, time.Now()
		metrics.handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if took := time.Since(begin); w.Code != http.StatusServiceUnavailable || took != scrapeTimeout {
			t.Errorf("status %d after %s, want 503 after %s", w.Code, took, scrapeTimeout)
		}
		if limit := begin.Add(scrapeTimeout + time.Second); w.deadline != limit {
			t.Errorf("the client may read until %s, want %s", w.deadline, limit)
		}
	})
}
