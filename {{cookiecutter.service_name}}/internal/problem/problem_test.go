package problem

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWriteRemovesHeadersOfTheReplacedBody(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Length", "9000")
	recorder.Header().Set("Content-Encoding", "gzip")
	recorder.Header().Set("ETag", `"1"`)
	recorder.Header().Set("Content-Type", "image/png")

	r := httptest.NewRequest("GET", "/", nil)
	Write(recorder, r, http.StatusTeapot, "Short and \xff stout.", Field{"#/spout", "missing"})

	response := recorder.Result()
	if got, want := response.Header.Get("Content-Type"), "application/problem+json"; got != want {
		t.Errorf("Content-Type = %q, want %q", got, want)
	}
	for _, name := range []string{"Content-Length", "Content-Encoding", "ETag"} {
		if got := response.Header.Get(name); got != "" {
			t.Errorf("%s = %q, want none", name, got)
		}
	}
	want := `{"type":"about:blank","title":"I'm a teapot","status":418,"detail":"Short and ` + "\ufffd" + ` stout.",` +
		`"errors":[{"pointer":"#/spout","detail":"missing"}]}`
	if got := recorder.Body.String(); got != want {
		t.Errorf("body = %s, want %s", got, want)
	}
}

func TestUnmatchedAllowsTheMethodsOfThePath(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		mux.HandleFunc(method+" /thing", func(http.ResponseWriter, *http.Request) {})
	}
	mux.HandleFunc("/", Unmatched(mux))
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, httptest.NewRequest("GET", "/thing", nil))
	if got, want := recorder.Header().Get("Allow"), "PUT, PATCH, DELETE"; got != want {
		t.Errorf("Allow = %q, want %q", got, want)
	}
}

func TestRefuseClosesTheConnectionIfThereIsABody(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{"": "", "x": "close"} {
		recorder := httptest.NewRecorder()
		Refuse(recorder, httptest.NewRequest("POST", "/", strings.NewReader(body)), http.StatusNotFound, "Not here.")
		if got := recorder.Header().Get("Connection"); got != want || recorder.Code != http.StatusNotFound {
			t.Errorf("body %q: status %d, Connection = %q, want 404 and %q", body, recorder.Code, got, want)
		}
	}
}
