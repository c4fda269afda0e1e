package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

func TestEveryRequestIsMeasuredOnce(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	describeService(meter, build.Info{Version: "1.2.3"}, func() int64 { return 42 }, func() int64 { return 0 })
	describeProcess(meter)
	handler := middleware.Observe(slog.New(slog.DiscardHandler), func() bool { return false }, newMetrics(meter))(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("boom")
			}
			middleware.NoteRefusal(r.Context(), "MAX_IN_FLIGHT")
		}))
	for _, path := range []string{"/", "/panic"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}

	found := collect(t, reader)
	want := map[string]float64{
		"http.server.request.duration": 2, "http.server.active_requests": 0, "http.server.refused_requests": 1,
		"http.server.panics": 1, "log.lines.lost": 42, "trace.spans.lost": 0, "service.build.info": 1,
	}
	for name, value := range want {
		if got, ok := found[name]; !ok || got != value {
			t.Errorf("%s = %v, want %v", name, got, value)
		}
	}
	for _, m := range measures {
		if found[m.name] <= 0 && m.name != "process.cpu" && m.name != "go.gc.cycles" {
			t.Errorf("%s = %v, want more than 0", m.name, found[m.name])
		}
	}
}

// collect returns the sum of each metric, or the count of a histogram.
func collect(t *testing.T, reader *sdkmetric.ManualReader) map[string]float64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				found[m.Name] += float64(point.Count)
			}
		case metricdata.Sum[int64]:
			found[m.Name] = sum(data.DataPoints)
		case metricdata.Sum[float64]:
			found[m.Name] = sum(data.DataPoints)
		case metricdata.Gauge[int64]:
			found[m.Name] = sum(data.DataPoints)
		case metricdata.Gauge[float64]:
			found[m.Name] = sum(data.DataPoints)
		}
	}
	return found
}

func sum[N int64 | float64](points []metricdata.DataPoint[N]) (total float64) {
	for _, point := range points {
		total += float64(point.Value)
	}
	return total
}
