package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

const (
	instrumentation  = "{{ cookiecutter.module_path }}/internal/telemetry"
	longestAttribute = 200  // bytes of what a client sent, so that spans stay small
	longestState     = 2048 // bytes of tracestate
)

// traces makes a span for each request.
type traces struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

// startTraces makes the tracer. It is also OpenTelemetry's own, for spans of the handlers and for outgoing requests. If
// nothing is sent, it makes no spans, but the trace of the caller is still handed on.
func (t *Telemetry) startTraces(sender *resource.Resource) {
	provider, propagator := t.tracerProvider(sender), propagators()
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagator)
	t.Observers = append(t.Observers, &traces{provider.Tracer(instrumentation), propagator})
}

func (t *Telemetry) tracerProvider(sender *resource.Resource) trace.TracerProvider {
	if !sends("TRACES") {
		return noop.NewTracerProvider()
	}
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		otel.Handle(err)
		return noop.NewTracerProvider()
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(sender),
		sdktrace.WithSpanProcessor(newQueue(exporter, t.lost)),
	)
	t.stop = append(t.stop, provider.Shutdown)
	return provider
}

// propagators returns those of OTEL_PROPAGATORS.
func propagators() propagation.TextMapPropagator {
	names, set := os.LookupEnv("OTEL_PROPAGATORS")
	if !set || names == "" {
		names = "tracecontext,baggage"
	}
	var found []propagation.TextMapPropagator
	for name := range strings.SplitSeq(names, ",") {
		switch strings.TrimSpace(name) {
		case "tracecontext":
			found = append(found, propagation.TraceContext{})
		case "baggage":
			found = append(found, validBaggage{})
		case "none":
		default:
			otel.Handle(fmt.Errorf("OTEL_PROPAGATORS: %q is ignored: must be tracecontext, baggage or none", name))
		}
	}
	return propagation.NewCompositeTextMapPropagator(found...)
}

// validBaggage takes no baggage that has an error. OpenTelemetry's own would take a part, and log what clients send.
type validBaggage struct{ propagation.Baggage }

func (validBaggage) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	found, err := baggage.Parse(carrier.Get("baggage"))
	if err != nil || found.Len() == 0 {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, found)
}

// headers gives the propagators a request's headers. Unlike [propagation.HeaderCarrier] it does not allocate.
type headers http.Header

func (h headers) Get(key string) string {
	switch key {
	case "traceparent":
		return strings.Join(h["Traceparent"], ",") // two of them are none
	case "tracestate":
		if state := strings.Join(h["Tracestate"], ","); len(state) <= longestState {
			return state
		}
		return ""
	case "baggage":
		return strings.Join(h["Baggage"], ",")
	}
	return strings.Join(http.Header(h).Values(key), ",")
}

func (h headers) Set(key, value string) { http.Header(h).Set(key, value) }

func (h headers) Keys() []string { return nil } // no propagator asks

var serverSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}

// Begin implements [middleware.Observer]. Probes have no span.
func (t *traces) Begin(ctx context.Context, r *http.Request) context.Context {
	if health.IsProbe(r) {
		return ctx
	}
	ctx, _ = t.tracer.Start(t.propagator.Extract(ctx, headers(r.Header)), spanMethod(r.Method), serverSpan...)
	return ctx
}

// End implements [middleware.Observer].
func (t *traces) End(r *http.Request, outcome middleware.Outcome) {
	span := trace.SpanFromContext(r.Context())
	if !span.IsRecording() {
		return
	}
	if outcome.Route != "" {
		span.SetName(spanMethod(r.Method) + " " + pathOf(outcome.Route))
	}
	attributes := buffers.Get().(*[12]attribute.KeyValue)
	span.SetAttributes(describe(attributes[:0], r, outcome)...)
	buffers.Put(attributes)
	if outcome.Panicked() {
		span.RecordError(fmt.Errorf("panic: %s", shortened(fmt.Sprint(outcome.Panic))), trace.WithStackTrace(true))
	}
	if reason := failureOf(outcome); reason != "" {
		span.SetAttributes(semconv.ErrorTypeKey.String(reason))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// failureOf returns the error.type of a request that failed, or "". A client that is refused is no failure of ours.
func failureOf(outcome middleware.Outcome) string {
	switch {
	case outcome.Panicked():
		return "panic"
	case outcome.Panic != nil:
		return "aborted"
	case outcome.Status >= http.StatusInternalServerError:
		return strconv.Itoa(outcome.Status)
	}
	return ""
}

// buffers are for the attributes of a span, which the span copies.
var buffers = sync.Pool{New: func() any { return new([12]attribute.KeyValue) }}

// describe adds what is known about a request. The query is left out: it may have secrets.
// See https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
func describe(attributes []attribute.KeyValue, r *http.Request, outcome middleware.Outcome) []attribute.KeyValue {
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		client = r.RemoteAddr // what a proxy tells has no port
	}
	server := url.URL{Host: r.Host}
	path := r.URL.EscapedPath()
	if len(r.RequestURI) > longestAttribute {
		path = strings.Clone(path) // it is a slice of the whole address
	}
	attributes = append(attributes,
		semconv.HTTPRequestMethodKey.String(methodOf(r.Method)),
		semconv.HTTPResponseStatusCode(outcome.Status),
		semconv.URLScheme("http"),
		semconv.URLPath(shortened(path)),
		semconv.ServerAddress(shortened(server.Hostname())),
		semconv.ClientAddress(client),
		semconv.UserAgentOriginal(shortened(r.UserAgent())),
		semconv.NetworkProtocolVersion(versionOf(r)),
	)
	if text := server.Port(); text != "" {
		port, _ := strconv.Atoi(text) // http.Server takes no other
		attributes = append(attributes, semconv.ServerPort(port))
	}
	if outcome.Route != "" {
		attributes = append(attributes, semconv.HTTPRoute(pathOf(outcome.Route)))
	}
{%- if cookiecutter.rpc != "none" %}
	if outcome.Code != "" {
		attributes = append(attributes, semconv.RPCResponseStatusCode(outcome.Code))
	}
{%- endif %}
	if methodOf(r.Method) == otherMethod {
		attributes = append(attributes, semconv.HTTPRequestMethodOriginal(shortened(r.Method)))
	}
	return attributes
}

// versionOf returns the version of HTTP as OpenTelemetry writes it: 1.0, 1.1 or 2.
func versionOf(r *http.Request) string {
	switch {
	case r.ProtoMajor > 1:
		return "2"
	case r.ProtoMinor == 0:
		return "1.0"
	}
	return "1.1"
}

func spanMethod(request string) string {
	if method := methodOf(request); method != otherMethod {
		return method
	}
	return "HTTP"
}

// shortened cuts what a client sent, and replaces what is not UTF-8: the collector would refuse the whole batch.
func shortened(text string) string {
	if len(text) > longestAttribute {
		text = strings.Clone(text[:longestAttribute]) // a slice would keep all of it in memory until the span is sent
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// TraceID finds the id of a context's trace, for the log.
func TraceID(ctx context.Context) (slog.Attr, bool) {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return slog.Attr{}, false
	}
	return slog.String("trace_id", span.TraceID().String()), true
}

// SpanID finds the id of a context's span, for the log.
func SpanID(ctx context.Context) (slog.Attr, bool) {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return slog.Attr{}, false
	}
	return slog.String("span_id", span.SpanID().String()), true
}
