{%- from "telemetry.jinja" import telemetry with context -%}
package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
{%- if telemetry.traced %}
	"sync"
{%- endif %}
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
{%- if telemetry.traced %}
	"go.opentelemetry.io/otel/trace"
{%- endif %}

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/middleware"
	"{{ cookiecutter.module_path }}/internal/problem"
)

const (
	// scrapesAtOnce limits how much work clients of METRICS_ADDR can cause.
	scrapesAtOnce = 8
	// scrapeTimeout is that of Prometheus. A collector that hangs or a client that does not read must not hold a stop.
	scrapeTimeout = 10 * time.Second
)

// metrics are the series of one running service. A registry of their own lets tests run several side by side. What the
// rest of the process counts is in prometheus.DefaultRegisterer.
type metrics struct {
	registry *prometheus.Registry
	active   prometheus.Gauge
	refused  *prometheus.CounterVec
	panics   prometheus.Counter
	requests *cache[prometheus.Observer]
}

// newMetrics returns metrics with the names of OpenTelemetry's conventions, as Prometheus writes them.
// See https://opentelemetry.io/docs/specs/semconv/http/http-metrics/.
func newMetrics(info build.Info, linesLost{% if telemetry.traced %}, spansLost{% endif %} func() int64) *metrics {
	registry := prometheus.NewRegistry()
	factory := promauto.With(registry)
	durations := factory.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_server_request_duration_seconds",
		Help:    "Duration of requests on PORT.",
		Buckets: []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10},

		NativeHistogramBucketFactor:     1.1, // each bucket is at most 10 % wider than the one before
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}, []string{"http_request_method", "http_route", "http_response_status_code"{% if cookiecutter.rpc != "none" %}, "rpc_response_status_code"{% endif %}})
	factory.NewGaugeVec(prometheus.GaugeOpts{
		Name: "service_build_info",
		Help: "The running build. The value is always 1.",
	}, []string{"version", "commit", "go_version"}).WithLabelValues(info.Version, info.Commit, info.GoVersion).Set(1)
	factory.NewCounterFunc(prometheus.CounterOpts{
		Name: "log_lines_lost_total",
		Help: "Lines of the log that could not be written.",
	}, func() float64 { return float64(linesLost()) })
{%- if telemetry.traced %}
	factory.NewCounterFunc(prometheus.CounterOpts{
		Name: "trace_spans_lost_total",
		Help: "Spans that could not be sent.",
	}, func() float64 { return float64(spansLost()) })
{%- endif %}
	return &metrics{
		registry: registry,
		active: factory.NewGauge(prometheus.GaugeOpts{
			Name: "http_server_active_requests",
			Help: "Requests in flight on PORT.",
		}),
		refused: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "http_server_refused_requests_total",
			Help: "Requests that a limit refused. The reason is the limit's variable.",
		}, []string{"reason"}),
		panics: factory.NewCounter(prometheus.CounterOpts{
			Name: "http_server_panics_total",
			Help: "Requests whose handler panicked.",
		}),
		requests: newCache(func(l labels) prometheus.Observer {
			return durations.WithLabelValues(l.method, pathOf(l.pattern), strconv.Itoa(l.status){% if cookiecutter.rpc != "none" %}, l.code{% endif %})
		}),
	}
}

// Begin implements [middleware.Observer].
func (m *metrics) Begin(ctx context.Context, _ *http.Request) context.Context {
	m.active.Inc()
	return ctx
}

// End implements [middleware.Observer].
func (m *metrics) End({% if telemetry.traced %}r{% else %}_{% endif %} *http.Request, outcome middleware.Outcome) {
	m.active.Dec()
	if outcome.Refusal != "" {
		m.refused.WithLabelValues(outcome.Refusal).Inc()
	}
	if outcome.Panicked() {
		m.panics.Inc()
	}
{%- if telemetry.traced %}
	observe(m.requests.get(labelsOf(outcome)), outcome.Duration.Seconds(), trace.SpanContextFromContext(r.Context()))
{%- else %}
	m.requests.get(labelsOf(outcome)).Observe(outcome.Duration.Seconds())
{%- endif %}
}
{%- if telemetry.traced %}

// observe adds a duration. If the request's trace is sampled, the bucket points to it: an exemplar.
func observe(durations prometheus.Observer, seconds float64, span trace.SpanContext) {
	if !span.IsSampled() {
		durations.Observe(seconds)
		return
	}
	exemplar := exemplars.Get().(prometheus.Labels)
	exemplar["trace_id"], exemplar["span_id"] = span.TraceID().String(), span.SpanID().String()
	durations.(prometheus.ExemplarObserver).ObserveWithExemplar(seconds, exemplar)
	exemplars.Put(exemplar)
}

// exemplars are maps that the histogram copies.
var exemplars = sync.Pool{New: func() any { return prometheus.Labels{} }}
{%- endif %}

// handler serves the metrics of the service and those of the process. A collector that fails hides no other.
func (m *metrics) handler(logger *slog.Logger) http.Handler {
	gatherers := prometheus.Gatherers{m.registry, prometheus.DefaultGatherer}
	mux := http.NewServeMux()
	scrape := promhttp.HandlerFor(gatherers, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(logger.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTimeout,
		EnableOpenMetrics:   true, // exemplars need it
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapeTimeout + time.Second))
		scrape.ServeHTTP(w, r)
	})
	mux.HandleFunc("/", problem.Unmatched(mux))
	return mux
}
