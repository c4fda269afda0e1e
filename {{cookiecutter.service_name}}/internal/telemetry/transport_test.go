package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestOutgoingRequestsHaveASpanAndHandTheTraceOn(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	var traceparent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		traceparent = r.Header.Get("Traceparent")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "body")
	}))
	defer server.Close()

	client := &http.Client{Transport: Transport(nil)}
	response, err := client.Get(server.URL + "/tea?token=secret")
	if err != nil {
		t.Fatal(err)
	}
	if len(recorder.Ended()) != 0 {
		t.Error("the span ends before the body is read")
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if _, err := client.Get("http://127.0.0.1:1/"); err == nil {
		t.Error("nothing listens on port 1, but there is a response")
	}

	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	span := spans[0]
	if span.Name() != "GET" || span.SpanKind() != trace.SpanKindClient || span.Status().Code.String() != "Error" {
		t.Errorf("span %s of kind %s with status %s, want GET, client, Error", span.Name(), span.SpanKind(), span.Status().Code)
	}
	for _, attribute := range span.Attributes() {
		if attribute.Key == "url.full" && attribute.Value.AsString() != server.URL+"/tea" {
			t.Errorf("url.full = %s, want it without the query", attribute.Value.AsString())
		}
	}
	if want := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"; traceparent != want {
		t.Errorf("traceparent %q, want %q", traceparent, want)
	}
	if got := spans[1].Status().Code.String(); got != "Error" {
		t.Errorf("status %s of a request without response, want Error", got)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAResponseMayHaveNoBody(t *testing.T) {
	withoutBody := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNoContent}, nil
	})
	response, err := (&http.Client{Transport: Transport(withoutBody)}).Get("http://a.example")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); err != nil || len(body) != 0 {
		t.Errorf("body %q, error %v", body, err)
	}
}
