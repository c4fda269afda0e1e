package telemetry

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

// metrics are the instruments of one running service.
type metrics struct {
	durations metric.Float64Histogram
	active    metric.Int64UpDownCounter
	refused   metric.Int64Counter
	panics    metric.Int64Counter
	requests  *cache[[]metric.RecordOption]
}

// startMetrics sends what the service counts to the collector, and what its own code counts by OpenTelemetry's meter.
func (t *Telemetry) startMetrics(info build.Info, sender *resource.Resource, linesLost func() int64) {
	if !sends("METRICS") {
		return
	}
	exporter, err := otlpmetrichttp.New(context.Background())
	if err != nil {
		otel.Handle(err)
		return
	}
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(sender),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)),
	)
	otel.SetMeterProvider(provider)
	t.stop = append(t.stop, provider.Shutdown)
	meter := provider.Meter(instrumentation)
	t.Observers = append(t.Observers, newMetrics(meter))
	describeService(meter, info, linesLost, t.lost.spans.Load)
	describeProcess(meter)
}

// newMetrics returns metrics with the names of OpenTelemetry's conventions. Making an instrument fails only if its name
// is wrong. See https://opentelemetry.io/docs/specs/semconv/http/http-metrics/.
func newMetrics(meter metric.Meter) *metrics {
	m := new(metrics)
	m.durations, _ = meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of requests on PORT."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10))
	m.active, _ = meter.Int64UpDownCounter("http.server.active_requests", metric.WithUnit("{request}"),
		metric.WithDescription("Requests in flight on PORT."))
	m.refused, _ = meter.Int64Counter("http.server.refused_requests", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that a limit refused. The reason is the limit's variable."))
	m.panics, _ = meter.Int64Counter("http.server.panics", metric.WithUnit("{panic}"),
		metric.WithDescription("Requests whose handler panicked."))
	m.panics.Add(context.Background(), 0) // so that the first panic is an increase
	m.requests = newCache(func(l labels) []metric.RecordOption {
		return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
			semconv.HTTPRequestMethodKey.String(l.method),
			semconv.HTTPRoute(pathOf(l.pattern)),
			semconv.HTTPResponseStatusCode(l.status),
{%- if cookiecutter.rpc != "none" %}
			semconv.RPCResponseStatusCode(l.code), // "" if the request is no call
{%- endif %}
		))}
	})
	return m
}

// Begin implements [middleware.Observer].
func (m *metrics) Begin(ctx context.Context, _ *http.Request) context.Context {
	m.active.Add(ctx, 1)
	return ctx
}

// End implements [middleware.Observer].
func (m *metrics) End(r *http.Request, outcome middleware.Outcome) {
	ctx := r.Context()
	m.active.Add(ctx, -1)
	if outcome.Refusal != "" {
		m.refused.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", outcome.Refusal)))
	}
	if outcome.Panicked() {
		m.panics.Add(ctx, 1)
	}
	m.durations.Record(ctx, outcome.Duration.Seconds(), m.requests.get(labelsOf(outcome))...)
}

// describeService adds the build, and what was lost on the way to an operator.
func describeService(meter metric.Meter, info build.Info, linesLost, spansLost func() int64) {
	running, _ := meter.Int64ObservableGauge("service.build.info",
		metric.WithDescription("The running build. The value is always 1."))
	lines, _ := meter.Int64ObservableCounter("log.lines.lost", metric.WithUnit("{line}"),
		metric.WithDescription("Lines of the log that could not be written."))
	spans, _ := meter.Int64ObservableCounter("trace.spans.lost", metric.WithUnit("{span}"),
		metric.WithDescription("Spans that could not be sent."))
	attributes := metric.WithAttributes(
		attribute.String("version", info.Version),
		attribute.String("commit", info.Commit),
		attribute.String("go_version", info.GoVersion),
	)
	_, _ = meter.RegisterCallback(func(_ context.Context, observer metric.Observer) error {
		observer.ObserveInt64(running, 1, attributes)
		observer.ObserveInt64(lines, linesLost())
		observer.ObserveInt64(spans, spansLost())
		return nil
	}, running, lines, spans)
}
