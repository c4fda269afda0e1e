package problem

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestResponsesThatDoNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	const size = 2 * smallBody
	read := func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	tests := []struct {
		name    string
		handler http.HandlerFunc
		major   int
		want    string // of the header Connection
	}{
		{"status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotImplemented) }, 1, "close"},
		{"body", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no") }, 1, "close"},
		{"flush", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, 1, "close"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, 1, "close"},
		{"read to its end", read, 1, ""},
		{"HTTP/2", func(http.ResponseWriter, *http.Request) {}, 2, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", size)))
			r.ProtoMajor = test.major
			recorder := httptest.NewRecorder()
			FinishBodies(test.handler).ServeHTTP(recorder, r)
			if got := recorder.Header().Get("Connection"); got != test.want {
				t.Errorf("Connection = %q, want %q", got, test.want)
			}
		})
	}
}

func TestResponsesOfAMiddlewareCanBeFlushed(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	handler := FinishBodies(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }))
	handler.ServeHTTP(plainWriter{recorder}, httptest.NewRequest("GET", "/", nil))
	if !recorder.Flushed {
		t.Error("the response is not flushed")
	}
}

// plainWriter is what a middleware may hand on.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header               { return p.w.Header() }
func (p plainWriter) Write(content []byte) (int, error) { return p.w.Write(content) }
func (p plainWriter) WriteHeader(status int)            { p.w.WriteHeader(status) }
func (p plainWriter) Unwrap() http.ResponseWriter       { return p.w }
