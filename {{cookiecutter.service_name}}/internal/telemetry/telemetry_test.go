{%- from "telemetry.jinja" import telemetry with context -%}
package telemetry

import (
	"io"
{%- if telemetry.traced %}
	"net"
{%- endif %}
	"net/http"
	"net/http/httptest"
	"testing"

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/logging"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

// BenchmarkRequest shows what a request costs with and without telemetry, its log line included.
{%- if telemetry.traced %} The collector does
// not respond and the queue is full, so that sending costs nothing.
{%- endif %}
func BenchmarkRequest(b *testing.B) {
{%- if telemetry.traced %}
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer collector.Close()
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+collector.Addr().String())
	b.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
	for name, sampler := range map[string]string{"untraced": "always_off", "traced": "always_on"} {
		b.Run(name, func(b *testing.B) {
			b.Setenv("OTEL_TRACES_SAMPLER", sampler)
			benchmark(b, true)
		})
	}
{%- else %}
	b.Run("counted", func(b *testing.B) { benchmark(b, true) })
{%- endif %}
	b.Run("without", func(b *testing.B) { benchmark(b, false) })
}

func benchmark(b *testing.B, watch bool) {
	b.Helper()
	logger, queue := logging.Start(io.Discard, 0, "json"{% if telemetry.traced %}, TraceID, SpanID{% endif %})
	defer queue.Flush()
	var observers []middleware.Observer
	if watch {
		watched := Start(build.Info{Service: "orders"}, logger, queue.Lost)
{%- if telemetry.traced %}
		defer watched.Stop()
{%- endif %}
		observers = watched.Observers
	}
	handler := middleware.Observe(logger, func() bool { return false }, observers...)(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	r, w := httptest.NewRequest("GET", "/", nil), discard{}
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}

// discard is a ResponseWriter that does nothing.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
