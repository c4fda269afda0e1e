package middleware

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"{{ cookiecutter.module_path }}/internal/logging"
)

var ok = []byte("ok")

func respondOK(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ok) }

func TestChainKeepsTheOrder(t *testing.T) {
	t.Parallel()
	var trace strings.Builder
	named := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				trace.WriteString(name)
				next.ServeHTTP(w, r)
			})
		}
	}
	Chain(http.HandlerFunc(respondOK), named("a"), named("b")).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if got, want := trace.String(), "ab"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestLimitInFlight(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := LimitInFlight(1)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- struct{}{}
			<-leave
		}
	}))
	get := func(path string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
		return recorder
	}
	done := make(chan struct{})
	go func() {
		get("/slow")
		close(done)
	}()
	select {
	case <-entered:
	case <-done:
		t.Fatal("a request below the limit is rejected")
	}

	if got := get("/"); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("over the limit: status %d, headers %v, want 503 with Retry-After", got.Code, got.Header())
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if got := get(path); got.Code != http.StatusOK {
			t.Errorf("%s over the limit: status %d, want 200", path, got.Code)
		}
	}
	close(leave)
	<-done
	if got := get("/"); got.Code != http.StatusOK {
		t.Errorf("below the limit again: status %d, want 200", got.Code)
	}
}

func TestRequestThatPanicsIsNoLongerInFlight(t *testing.T) {
	t.Parallel()
	handler := LimitInFlight(1)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the request did not reach the handler")
				}
			}()
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}()
	}
}

func TestRefuseOtherTargets(t *testing.T) {
	t.Parallel()
	handler := RefuseOtherTargets(http.HandlerFunc(respondOK))
	for target, want := range map[string]int{
		"GET /x":            http.StatusOK,
		"GET http://test/x": http.StatusOK,
		"GET *":             http.StatusBadRequest,
		"CONNECT test:443":  http.StatusBadRequest,
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(target + " HTTP/1.1\r\nHost: test\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		if recorder.Code != want {
			t.Errorf("%s: status %d, want %d", target, recorder.Code, want)
		}
	}
}

func TestRefuseCrossOrigin(t *testing.T) {
	t.Parallel()
	handler := RefuseCrossOrigin()(http.HandlerFunc(respondOK))
	tests := []struct {
		name, method, site string
		want               int
	}{
		{"another site's form", "POST", "cross-site", http.StatusForbidden},
		{"another site's link", "GET", "cross-site", http.StatusOK},
		{"own page", "POST", "same-origin", http.StatusOK},
		{"not a browser", "POST", "", http.StatusOK},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, "/", nil)
			if test.site != "" {
				r.Header.Set("Sec-Fetch-Site", test.site)
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, r)
			if got := recorder.Code; got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
}

func TestLimitBody(t *testing.T) {
	t.Parallel()
	handler := LimitBody(4)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusTeapot) // the handler gets an error at the limit
		}
	}))
	tests := []struct {
		name string
		body io.Reader
		want int
	}{
		{"at the limit", strings.NewReader("1234"), http.StatusOK},
		{"Content-Length over the limit", strings.NewReader("12345"), http.StatusRequestEntityTooLarge},
		{"over the limit without Content-Length", io.MultiReader(strings.NewReader("12345")), http.StatusTeapot},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest("POST", "/", test.body))
			if got := recorder.Code; got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
}

func BenchmarkChain(b *testing.B) {
	logger, flush := logging.Start(io.Discard, 0, "json")
	defer flush()
	handler := Chain(http.HandlerFunc(respondOK),
		Observe(logger, func() bool { return false }),
		RefuseOtherTargets,
		LimitInFlight(1024),
		RefuseCrossOrigin(),
		LimitBody(1<<20),
		NoteRoute,
	)
	r := httptest.NewRequest("GET", "/", nil)
	w := discard{}
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}

// discard is a ResponseWriter that does nothing, so that the benchmark measures the middlewares alone.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
