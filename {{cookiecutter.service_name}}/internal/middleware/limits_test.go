package middleware

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/logging"
)

var testConfig = config.Config{
	MaxInFlight: 1, MaxStreams: 1, RequestTimeout: 30 * time.Second, WriteTimeout: 40 * time.Second,
	TrustedOrigins: []string{"https://app.example.com"},
}

func TestPlainRequestsAndStreamsHaveLimitsOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits, leave := NewLimits(testConfig), make(chan struct{})
		slow := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-leave })
		for _, stream := range []bool{false, true} {
			handler := limits.Apply(Route{Pattern: "GET /", Stream: stream}, slow)
			serve := func() *httptest.ResponseRecorder {
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
				return recorder
			}
			first := make(chan int)
			go func() { first <- serve().Code }()
			synctest.Wait()
			if got := serve(); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
				t.Errorf("stream %t: over the limit: status %d, headers %v, want 503 with Retry-After", stream, got.Code, got.Header())
			}
			defer func() {
				if got := <-first; got != http.StatusOK {
					t.Errorf("stream %t: status %d, want 200", stream, got)
				}
				if got := serve().Code; got != http.StatusOK {
					t.Errorf("stream %t: below the limit again: status %d, want 200", stream, got)
				}
			}()
		}
		close(leave)
	})
}

func TestRequestThatPanicsIsNoLongerInFlight(t *testing.T) {
	t.Parallel()
	handler := NewLimits(testConfig).Apply(Route{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
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

func TestCrossOriginRequestsAreRefused(t *testing.T) {
	t.Parallel()
	handler := NewLimits(testConfig).Apply(Route{}, http.HandlerFunc(respondOK))
	tests := []struct {
		name, method, site, origin string
		want                       int
	}{
		{"another site's form", "POST", "cross-site", "https://evil.example", http.StatusForbidden},
		{"another site's link", "GET", "cross-site", "", http.StatusOK},
		{"a trusted origin", "POST", "cross-site", "https://app.example.com", http.StatusOK},
		{"own page", "POST", "same-origin", "", http.StatusOK},
		{"not a browser", "POST", "", "", http.StatusOK},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, "/", nil)
			for name, value := range map[string]string{"Sec-Fetch-Site": test.site, "Origin": test.origin} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, r)
			if got := recorder.Code; got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
}

func TestBodiesOverTheRoutesLimitAreRefused(t *testing.T) {
	t.Parallel()
	handler := NewLimits(testConfig).Apply(Route{MaxBody: 4}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

// writers is what a middleware of a team may wrap around the response writer.
type writer struct{ http.ResponseWriter }

func (w writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestBodyLimitClosesTheConnectionThroughWrappers(t *testing.T) {
	t.Parallel()
	limited := NewLimits(testConfig).Apply(Route{MaxBody: 4}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limited.ServeHTTP(writer{writer{w}}, r)
	}))
	defer server.Close()
	response, err := http.Post(server.URL, "", io.MultiReader(strings.NewReader("12345")))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if !response.Close {
		t.Error("the connection stays open, want it closed")
	}
}

// serveObserved serves a request by handler behind Observe and the limits, with the log's lines.
func serveObserved(route Route, handler http.HandlerFunc) (*httptest.ResponseRecorder, string) {
	var log strings.Builder
	chain := Chain(NewLimits(testConfig).Apply(route, handler),
		Observe(logging.New(&log, 0, "json"), func() bool { return false }))
	recorder := httptest.NewRecorder()
	chain.ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
	return recorder, log.String()
}

func TestHandlerThatGivesUpAtTheDeadlineIsAnsweredWith504(t *testing.T) {
	t.Parallel()
	for timeout, want := range map[time.Duration]time.Duration{0: testConfig.RequestTimeout, time.Hour: time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var cause error
			response, log := serveObserved(Route{Timeout: timeout}, func(_ http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithCancel(r.Context()) // as a client of a dependency does
				defer cancel()
				<-ctx.Done()
				cause = context.Cause(ctx)
			})
			if got := time.Since(start); got != want {
				t.Errorf("the deadline is over after %s, want %s", got, want)
			}
			if response.Code != http.StatusGatewayTimeout || !strings.Contains(log, `"refused_by":"REQUEST_TIMEOUT"`) {
				t.Errorf("status %d, log %s; want 504 by REQUEST_TIMEOUT", response.Code, log)
			}
			if !errors.Is(cause, context.DeadlineExceeded) || !strings.Contains(cause.Error(), "REQUEST_TIMEOUT") {
				t.Errorf("cause %v, want one that names REQUEST_TIMEOUT", cause)
			}
		})
	}
}

func TestHandlerThatLooksAtTheTimeIsAnsweredWith504(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		response, _ := serveObserved(Route{}, func(_ http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil && time.Since(start) < time.Hour {
				time.Sleep(time.Second)
			}
		})
		if took := time.Since(start); took != testConfig.RequestTimeout || response.Code != http.StatusGatewayTimeout {
			t.Errorf("status %d after %s, want 504 after %s", response.Code, took, testConfig.RequestTimeout)
		}
	})
}

func TestConnectionServesOnAfterATimeoutWithoutABody(t *testing.T) {
	t.Parallel()
	limits := NewLimits(testConfig)
	mux := http.NewServeMux()
	mux.Handle("/late", limits.Apply(Route{Timeout: time.Millisecond}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		time.Sleep(20 * time.Millisecond)
	})))
	mux.HandleFunc("/next", func(_ http.ResponseWriter, r *http.Request) {
		if err := r.Context().Err(); err != nil {
			t.Errorf("the context of the next request is done: %v", err)
		}
	})
	server := httptest.NewServer(Chain(mux, Observe(slog.New(slog.DiscardHandler), func() bool { return false })))
	defer server.Close()
	for _, test := range []struct {
		path string
		want int
	}{
		{"/late", http.StatusGatewayTimeout},
		{"/next", http.StatusOK},
	} {
		response, err := server.Client().Get(server.URL + test.path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if got := response.StatusCode; got != test.want {
			t.Errorf("%s: status %d, want %d", test.path, got, test.want)
		}
	}
}

func TestStreamHasNoDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		response, _ := serveObserved(Route{Stream: true}, func(_ http.ResponseWriter, r *http.Request) {
			if _, has := r.Context().Deadline(); has {
				t.Error("the context has a deadline")
			}
			time.Sleep(time.Hour)
			if err := r.Context().Err(); err != nil {
				t.Errorf("the context is done after an hour: %v", err)
			}
		})
		if got := response.Code; got != http.StatusOK {
			t.Errorf("status %d, want 200", got)
		}
	})
}
