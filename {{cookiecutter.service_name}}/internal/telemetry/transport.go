package telemetry

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Transport returns a transport that traces the requests of an http.Client: each has a span, and the trace of its
// context in its headers. As in an http.Client, nil is http.DefaultTransport.
func Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return transport{base}
}

type transport struct{ base http.RoundTripper }

// RoundTrip implements [http.RoundTripper]. The span ends when the body of the response is read or closed.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := startClientSpan(r)
	r = r.Clone(ctx) // a RoundTripper must not change its request
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(r.Header))
	response, err := t.base.RoundTrip(r)
	if err != nil {
		span.SetAttributes(semconv.ErrorType(err))
		span.SetStatus(codes.Error, shortened(err.Error()))
		span.End()
		return response, err
	}
	span.SetAttributes(semconv.HTTPResponseStatusCode(response.StatusCode))
	if response.StatusCode >= http.StatusBadRequest {
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(response.StatusCode)))
		span.SetStatus(codes.Error, "")
	}
	if response.Body == nil || response.StatusCode == http.StatusSwitchingProtocols { // then the caller writes to the body
		span.End()
	} else {
		response.Body = &tracedBody{response.Body, span}
	}
	return response, nil
}

// startClientSpan names a span and describes the request, without what may be secret in its URL.
func startClientSpan(r *http.Request) (context.Context, trace.Span) {
	ctx, span := otel.Tracer(instrumentation).Start(r.Context(), spanMethod(r.Method), trace.WithSpanKind(trace.SpanKindClient))
	if !span.IsRecording() {
		return ctx, span
	}
	shown := url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath}
	port, err := strconv.Atoi(r.URL.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[r.URL.Scheme]
	}
	span.SetAttributes(
		semconv.HTTPRequestMethodKey.String(methodOf(r.Method)),
		semconv.ServerAddress(shortened(r.URL.Hostname())),
		semconv.ServerPort(port),
		semconv.URLFull(shortened(shown.String())),
	)
	return ctx, span
}

// tracedBody is the body of a response. To end a span twice does nothing.
type tracedBody struct {
	io.ReadCloser
	span trace.Span
}

func (b *tracedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if err != io.EOF {
			b.span.SetAttributes(semconv.ErrorType(err))
			b.span.SetStatus(codes.Error, shortened(err.Error()))
		}
		b.span.End()
	}
	return n, err
}

func (b *tracedBody) Close() error {
	b.span.End()
	return b.ReadCloser.Close()
}
