package admin

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"{{ cookiecutter.module_path }}/internal/health"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path   string
		status int
		prefix string // of the response body
	}{
		{"/debug/pprof/", http.StatusOK, "profile "},
		{"/debug/pprof/heap", http.StatusOK, "\x1f\x8b"}, // gzip, the format of go tool pprof
		{"/debug/pprof/profile?seconds=1", http.StatusOK, "\x1f\x8b"},
		{"/debug/pprof/goroutine?debug=1", http.StatusOK, "goroutine profile:"},
		{"/debug/pprof/nothing", http.StatusNotFound, "{"},
		{"/debug/vars", http.StatusOK, "{"},
		{"/livez", http.StatusOK, `{"status":"ok"}`},
		{"/readyz", http.StatusServiceUnavailable, "{"},
	}
	readiness := health.NewReadiness(slog.New(slog.DiscardHandler), func() bool { return true })
	routes := Routes(t.Context(), readiness{% if cookiecutter.rpc != "none" %}, func() []string { return nil }{% endif %})
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			routes.ServeHTTP(recorder, httptest.NewRequest("GET", test.path, nil))
			if got := recorder.Code; got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			if got := recorder.Body.String(); !strings.HasPrefix(got, test.prefix) {
				t.Errorf("body starts with %.20q, want %q", got, test.prefix)
			}
		})
	}
}
