package api

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"{{ cookiecutter.module_path }}/internal/build"
)

func testHandler() http.Handler {
	return Handler(build.Info{Service: "orders", Version: "1.2.3", Commit: "unknown", GoVersion: "go1"}, func() bool { return false })
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	description, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		method, path string
		status       int
		body         string // "" is any
	}{
		{"GET", "/", http.StatusOK, `{"service":"orders","version":"1.2.3","openapi":"/openapi.yaml"}`},
		{"GET", "/livez", http.StatusOK, `{"status":"ok"}`},
		{"GET", "/readyz", http.StatusOK, `{"status":"ok"}`},
		{"GET", "/version", http.StatusOK, `{"service":"orders","version":"1.2.3","commit":"unknown","go_version":"go1"}`},
		{"GET", "/openapi.yaml", http.StatusOK, string(description)},
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
			testHandler().ServeHTTP(recorder, httptest.NewRequest(test.method, test.path, nil))
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
	testHandler().ServeHTTP(recorder, httptest.NewRequest("POST", "/version", nil))
	if got, want := recorder.Header().Get("Allow"), "GET, HEAD"; got != want {
		t.Errorf("Allow = %q, want %q", got, want)
	}
}

func TestDescriptionHasTheRoutesAndNoOthers(t *testing.T) {
	t.Parallel()
	var routed, described []string
	for _, name := range []string{"routes.go", "handler.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`"([A-Z]+ /[^"]*)"`).FindAllStringSubmatch(string(source), -1) {
			routed = append(routed, strings.TrimSuffix(match[1], "{$}"))
		}
	}
	path := ""
	for _, match := range regexp.MustCompile(`(?m)^  (/.*):$|^    ([a-z]+):$`).FindAllStringSubmatch(string(openAPI), -1) {
		if match[1] != "" {
			path = match[1]
		} else if path != "" && slices.Contains([]string{"get", "post", "put", "patch", "delete"}, match[2]) {
			described = append(described, strings.ToUpper(match[2])+" "+path)
		}
	}
	slices.Sort(routed)
	slices.Sort(described)
	if !slices.Equal(routed, described) {
		t.Errorf("openapi.yaml describes\n%q, routes.go and handler.go have\n%q", described, routed)
	}
}
