package lifecycle

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkRequest shows what a request costs with and without the rival.
func BenchmarkRequest(b *testing.B) {
	b.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
	plain := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	b.Run("without", func(b *testing.B) { benchmark(b, plain) })
	watched := Rival(plain)
	b.Run("with", func(b *testing.B) { benchmark(b, watched) })
}

func benchmark(b *testing.B, handler http.Handler) {
	b.Helper()
	r, w := httptest.NewRequest("GET", "/", nil), discard{}
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}

type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
