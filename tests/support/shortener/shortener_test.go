package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fakeSafety is the service that knows unsafe links.
func fakeSafety(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Query().Get("url"), "evil") {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestLinksFromTheCreationToTheEnd(t *testing.T) {
	t.Parallel()
	s := start(t, "SAFETY_URL="+fakeSafety(t), "EXPIRE_EVERY=10ms")
	tests := []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/readyz", "", http.StatusOK},
		{"POST", "/v1/links", `{"code":"go","target":"https://go.dev"}`, http.StatusCreated},
		{"POST", "/v1/links", `{"code":"go","target":"https://go.dev"}`, http.StatusConflict},
		{"POST", "/v1/links", `{"code":"bad","target":"https://evil.example"}`, http.StatusUnprocessableEntity},
		{"POST", "/v1/links", `{"code":"X","target":"nowhere"}`, http.StatusUnprocessableEntity},
		{"GET", "/v1/links/go", "", http.StatusOK},
		{"GET", "/v1/links?limit=1000", "", http.StatusBadRequest},
		{"POST", "/v1/import", "a https://a.example\nb https://b.example\n", http.StatusOK},
		{"GET", "/v1/links?limit=1&cursor=a", "", http.StatusOK},
		{"DELETE", "/v1/links/go", "", http.StatusNoContent},
		{"GET", "/v1/links/go", "", http.StatusNotFound},
		{"POST", "/v1/links", `{"code":"soon","target":"https://go.dev","expires_in":"20ms"}`, http.StatusCreated},
	}
	for _, test := range tests {
		r, err := http.NewRequestWithContext(t.Context(), test.method, s.url+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer for tests")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if got := answer.StatusCode; got != test.status {
			t.Errorf("%s %s: status %d, want %d", test.method, test.path, got, test.status)
		}
	}
	s.logged(t, "links expired")
	if got := s.stopped(t); got != exitOK {
		t.Errorf("exit status %d, want %d", got, exitOK)
	}
}
