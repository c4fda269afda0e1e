package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"{{ cookiecutter.module_path }}/internal/logging"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// traced sends a request to a handler that is traced. It returns the spans and the log.
func traced(t *testing.T, handler http.HandlerFunc, r *http.Request) ([]sdktrace.ReadOnlySpan, string) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	observer := &traces{provider.Tracer("test"), propagation.TraceContext{}}
	var log strings.Builder
	logger := logging.New(&log, slog.LevelInfo, "text", TraceID, SpanID)
	func() {
		defer func() {
			if value := recover(); value != nil && !errors.Is(value.(error), http.ErrAbortHandler) {
				t.Errorf("panic %v", value)
			}
		}()
		middleware.Observe(logger, func() bool { return false }, observer)(handler).ServeHTTP(httptest.NewRecorder(), r)
	}()
	return recorder.Ended(), log.String()
}

func TestRequestHasASpanInTheTraceOfItsCaller(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/v1/orders/7?token=secret", nil)
	r.Header.Set("Traceparent", parent)
	r.Header.Set("User-Agent", "bad \xff bytes "+strings.Repeat("x", 1000))
	mux := http.NewServeMux()
	var inHandler trace.SpanContext
	mux.HandleFunc("POST /v1/orders/{id}", func(_ http.ResponseWriter, r *http.Request) {
		inHandler = trace.SpanContextFromContext(r.Context())
	})
	spans, log := traced(t, mux.ServeHTTP, r)
	if len(spans) != 1 || spans[0].Name() != "POST /v1/orders/{id}" || spans[0].SpanKind() != trace.SpanKindServer {
		t.Fatalf("spans %v, want one of the server named POST /v1/orders/{id}", spans)
	}
	if spans[0].Parent().SpanID().String() != "00f067aa0ba902b7" || !spans[0].SpanContext().Equal(inHandler) {
		t.Errorf("parent %v, in the handler %v", spans[0].Parent().SpanID(), inHandler)
	}
	for _, attribute := range spans[0].Attributes() {
		if value := attribute.Value.String(); strings.Contains(value, "secret") || strings.Contains(value, "\xff") || len(value) > 300 {
			t.Errorf("%s = %q", attribute.Key, value)
		}
	}
	if !strings.Contains(log, "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id="+inHandler.SpanID().String()) {
		t.Errorf("log %s, want the ids of the trace and of the span", log)
	}
}

func TestSpansAreNamedAfterWhatIsBounded(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{"GET": "GET", "BREW": "HTTP"} {
		spans, _ := traced(t, http.NotFound, httptest.NewRequest(method, "/made/up", nil))
		if len(spans) != 1 || spans[0].Name() != want {
			t.Errorf("%s /made/up has spans %v, want one named %s", method, spans, want)
		}
	}
}

func TestProbesHaveNoSpan(t *testing.T) {
	t.Parallel()
	if spans, _ := traced(t, http.NotFound, httptest.NewRequest("GET", "/livez", nil)); len(spans) != 0 {
		t.Errorf("spans %v, want none", spans)
	}
}

func TestFailuresAreErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		handler   http.HandlerFunc
		errorType string // "" is no failure
		events    int
	}{
		{"panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, "panic", 1},
		{"cut off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "aborted", 0},
		{"503", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503", 0},
		{"404", http.NotFound, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			spans, _ := traced(t, test.handler, httptest.NewRequest("GET", "/", nil))
			if len(spans) != 1 {
				t.Fatalf("%d spans, want 1", len(spans))
			}
			var errorType string
			for _, attribute := range spans[0].Attributes() {
				if attribute.Key == "error.type" {
					errorType = attribute.Value.AsString()
				}
			}
			isError := spans[0].Status().Code.String() == "Error"
			if errorType != test.errorType || isError != (test.errorType != "") || len(spans[0].Events()) != test.events {
				t.Errorf("error.type %q, status %v, events %v", errorType, spans[0].Status(), spans[0].Events())
			}
		})
	}
}

func TestHostileHeadersOfATraceAreNotBelieved(t *testing.T) {
	t.Parallel()
	tests := map[string]http.Header{
		"two parents": {"Traceparent": {parent, parent}},
		"garbage":     {"Traceparent": {"00-xyz"}},
		"huge state":  {"Traceparent": {parent}, "Tracestate": {strings.Repeat("a=b,", 2000)}},
	}
	for name, header := range tests {
		ctx := propagation.TraceContext{}.Extract(context.Background(), headers(header))
		span := trace.SpanContextFromContext(ctx)
		if wantsParent := name == "huge state"; span.IsValid() != wantsParent || span.TraceState().Len() != 0 {
			t.Errorf("%s: %v", name, span)
		}
	}
}

func TestUnknownPropagatorsAreIgnored(t *testing.T) {
	for text, want := range map[string]int{"": 3, "tracecontext": 2, "none": 0, "b3, baggage": 1} {
		t.Setenv("OTEL_PROPAGATORS", text)
		if got := len(propagators().Fields()); got != want {
			t.Errorf("OTEL_PROPAGATORS=%s: %d headers, want %d", text, got, want)
		}
	}
}
