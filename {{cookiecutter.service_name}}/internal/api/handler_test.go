package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/config"
{%- if cookiecutter.database != "none" %}
	"{{ cookiecutter.module_path }}/internal/database/databasetest"
{%- endif %}
	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

// testPlatform has the settings of config.ForTests and variables such as "LOG_LEVEL=debug".
func testPlatform(t *testing.T, variables ...string) Platform {
	t.Helper()
	set := config.ForTests()
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		set[name] = value
	}
	cfg, err := config.Load(func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	info := build.Info{Service: "orders", Version: "1.2.3", Commit: "unknown", GoVersion: "go1"}
	platform := Platform{Build: info, Config: cfg, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
{%- if cookiecutter.database != "none" %}
	platform.Database = databasetest.Open(t, cfg, platform.Logger)
{%- endif %}
	return platform
}

func newTestHandler(t *testing.T, variables ...string) *Handler {
	t.Helper()
	platform := testPlatform(t, variables...)
	return NewHandler(platform, health.NewReadiness(platform.Logger, func() bool { return false }))
}

// testHandler returns the handler of a service that has started, as main wires it but for the proxies and origins.
func testHandler(t *testing.T, variables ...string) http.Handler {
	t.Helper()
	handler := newTestHandler(t, variables...)
	service, err := handler.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close(context.Background()) })
	return middleware.Observe(handler.platform.Logger, func() bool { return false })(handler)
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, path string
		status       int
		body         string // "" is any
	}{
		{"GET", "/", http.StatusOK, `{"service":"orders","version":"1.2.3","openapi":"/openapi.yaml"}`},
		{"GET", "/livez", http.StatusOK, `{"status":"ok"}`},
		{"GET", "/version", http.StatusOK, `{"service":"orders","version":"1.2.3","commit":"unknown","go_version":"go1"}`},
		{"GET", "/openapi.yaml", http.StatusOK, string(openAPI)},
		{"HEAD", "/version", http.StatusOK, ""},
		{"GET", "/nothing/here", http.StatusNotFound, ""},
		{"GET", "/debug/pprof/", http.StatusNotFound, ""},
		{"DELETE", "/version", http.StatusMethodNotAllowed, ""},
		{"BREW", "/version", http.StatusMethodNotAllowed, ""},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			testHandler(t).ServeHTTP(recorder, httptest.NewRequest(test.method, test.path, nil))
			if got := recorder.Code; got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			if got := recorder.Body.String(); test.body != "" && got != test.body {
				t.Errorf("body %s, want %s", got, test.body)
			}
		})
	}
}

func TestMethodNotAllowedNamesTheAllowedOnes(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	testHandler(t).ServeHTTP(recorder, httptest.NewRequest("POST", "/version", nil))
	if got, want := recorder.Header().Get("Allow"), "GET, HEAD"; got != want {
		t.Errorf("Allow = %q, want %q", got, want)
	}
}

func TestServiceThatStartsIsAliveAndNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := newTestHandler(t)
		get := func(path string) int {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
			return recorder.Code
		}
		for path, want := range map[string]int{"/livez": 200, "/readyz": 503, "/version": 503} {
			if got := get(path); got != want {
				t.Errorf("GET %s: status %d before the start, want %d", path, got, want)
			}
		}
		waiting := make(chan int)
		go func() { waiting <- get("/version") }()
		synctest.Wait()
		service, err := handler.Open(t.Context())
		if err != nil {
			t.Errorf("New: %v", err)
		} else {
			defer func() { _ = service.Close(context.Background()) }() // no goroutine may stay
		}
		if got := <-waiting; got != http.StatusOK {
			t.Errorf("a request that waits for the start: status %d, want 200", got)
		}
	})
}

// platformPaths are described in openapi.yaml, but are not routes of this service's own.
var platformPaths = []string{"GET /", "GET /livez", "GET /openapi.yaml", "GET /readyz", "GET /version"}

func TestDescriptionHasTheRoutesAndNoOthers(t *testing.T) {
	t.Parallel()
	platform := testPlatform(t)
	service, err := New(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close(context.Background()) })
	router := newRouter(platform.Config)
	service.routes(router)
{%- if cookiecutter.database != "none" %}
	service.exampleRoutes(router)
{%- endif %}
	routed := *router.patterns
	var described []string
	path := ""
	for _, match := range regexp.MustCompile(`(?m)^  (/.*):$|^    ([a-z]+):$`).FindAllStringSubmatch(string(openAPI), -1) {
		if match[1] != "" {
			path = match[1]
		} else if path != "" && slices.Contains([]string{"get", "post", "put", "patch", "delete"}, match[2]) {
			described = append(described, strings.ToUpper(match[2])+" "+path)
		}
	}
	described = slices.DeleteFunc(described, func(route string) bool { return slices.Contains(platformPaths, route) })
	slices.Sort(routed)
	slices.Sort(described)
	if !slices.Equal(routed, described) {
		t.Errorf("openapi.yaml describes\n%q, the service has\n%q", described, routed)
	}
}
