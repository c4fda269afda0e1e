package middleware

import (
	"context"
	"encoding/json/v2"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/logging"
	"{{ cookiecutter.module_path }}/internal/requestid"
)

// observe sends a request to a server whose handler is wrapped by Observe. It returns the response and the log lines.
// The response is nil if the connection was closed before its end.
func observe(
	t *testing.T, draining bool, handler http.HandlerFunc, r *http.Request,
) (*http.Response, []map[string]any) {
	t.Helper()
	var log strings.Builder
	observed := Observe(logging.New(&log, -4, "json", requestid.Attr), func() bool { return draining })(handler)
	logged := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(logged)
		observed.ServeHTTP(w, r)
	}))
	r.RequestURI = ""
	r.URL.Scheme, r.URL.Host = "http", server.Listener.Addr().String()

	response, err := http.DefaultClient.Do(r)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	<-logged
	server.Close()
	if err != nil {
		response = nil
	}

	var lines []map[string]any
	for text := range strings.Lines(log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("log line %q is not JSON: %v", text, err)
		}
		lines = append(lines, line)
	}
	return response, lines
}

func TestRequestIsLoggedInOneLine(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	limits := NewLimits(config.Config{MaxInFlight: 1})
	mux.Handle("GET /orders/{id}", limits.Apply(Route{Pattern: "GET /orders/{id}"}, http.HandlerFunc(respondOK)))
	r := httptest.NewRequest("GET", "/orders/7?token=secret", nil)
	r.Header.Set("X-Request-ID", "abc")
	withCopiedRequest := func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), t, "any value")))
	}
	response, lines := observe(t, false, withCopiedRequest, r)

	if got := response.Header.Get("X-Request-ID"); got != "abc" {
		t.Errorf("X-Request-ID = %q, want abc", got)
	}
	if got := response.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options = %q, want nosniff", got)
	}
	if len(lines) != 1 {
		t.Fatalf("%d log lines, want 1: %v", len(lines), lines)
	}
	want := map[string]any{
		"level": "INFO", "msg": "request", "method": "GET", "route": "GET /orders/{id}",
		"status": 200.0, "bytes": 2.0, "request_id": "abc",
	}
	for name, value := range want {
		if got := lines[0][name]; got != value {
			t.Errorf("%s = %v, want %v", name, got, value)
		}
	}
	for _, name := range []string{"duration", "client", "time"} {
		if lines[0][name] == nil {
			t.Errorf("the log line has no %s: %v", name, lines[0])
		}
	}
}

func TestProbesAreLoggedAtDebug(t *testing.T) {
	t.Parallel()
	_, lines := observe(t, false, respondOK, httptest.NewRequest("GET", "/livez", nil))
	if got := lines[0]["level"]; got != "DEBUG" {
		t.Errorf("level = %v, want DEBUG", got)
	}
}

func TestConnectionsCloseWhileDraining(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.HandlerFunc{
		"writes":  respondOK,
		"flushes": func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"silent":  func(http.ResponseWriter, *http.Request) {},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if response, _ := observe(t, true, handler, httptest.NewRequest("GET", "/", nil)); !response.Close {
				t.Error("the connection stays open, want Connection: close")
			}
			if response, _ := observe(t, false, handler, httptest.NewRequest("GET", "/", nil)); response.Close {
				t.Error("the connection closes, but the service does not drain")
			}
		})
	}
}

func TestPanicResultsIn500(t *testing.T) {
	t.Parallel()
	response, lines := observe(t, false, func(http.ResponseWriter, *http.Request) { panic("boom") },
		httptest.NewRequest("GET", "/", nil))
	if response == nil || response.StatusCode != http.StatusInternalServerError {
		t.Fatalf("response %v, want 500", response)
	}
	if len(lines) != 2 || lines[0]["value"] != "boom" || !strings.Contains(lines[0]["stack"].(string), "observe_test.go") {
		t.Errorf("log lines %v, want the panic with its stack, then the request", lines)
	}
	if id := response.Header.Get("X-Request-ID"); lines[0]["request_id"] != id || lines[1]["request_id"] != id {
		t.Errorf("log lines %v, want both with request_id %s", lines, id)
	}
}

func TestPanicAfterTheResponseStartedClosesTheConnection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler http.HandlerFunc
		panics  int // in the log
	}{
		{"panic after a write", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic("boom")
		}, 1},
		{"panic after a flush", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			panic("boom")
		}, 1},
		{"panic after http.Flusher", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			panic("boom")
		}, 1},
		{"http.ErrAbortHandler", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response, lines := observe(t, false, test.handler, httptest.NewRequest("GET", "/", nil))
			if response != nil {
				t.Errorf("the client gets a complete response: %s", response.Status)
			}
			if got, want := len(lines), test.panics+1; got != want {
				t.Errorf("%d log lines, want %d: %v", got, want, lines)
			}
		})
	}
}

func TestContextOfTheRequestIsKept(t *testing.T) {
	t.Parallel()
	type key struct{}
	cause := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "kept"))
	handler := Observe(logging.New(io.Discard, 0, "json"), func() bool { return false })(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := r.Context().Value(key{}); got != "kept" {
				t.Errorf("context value %v, want kept", got)
			}
			cancel(cause)
			if got := context.Cause(r.Context()); !errors.Is(got, cause) {
				t.Errorf("context cause %v, want %v", got, cause)
			}
		}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
}

func TestFinalStatusIsLoggedAfterAnInformationalOne(t *testing.T) {
	t.Parallel()
	response, lines := observe(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	}, httptest.NewRequest("GET", "/", nil))
	if got, want := lines[0]["status"], any(202.0); got != want {
		t.Errorf("status %v, want %v", got, want)
	}
	if !response.Close {
		t.Error("the connection stays open, want Connection: close")
	}
}

func TestDurationIsInNanoseconds(t *testing.T) {
	t.Parallel()
	const minimum = 2 * time.Millisecond
	_, lines := observe(t, false, func(http.ResponseWriter, *http.Request) { <-time.After(minimum) },
		httptest.NewRequest("GET", "/", nil))
	if got := lines[0]["duration"].(float64); got < float64(minimum) {
		t.Errorf("duration %v, want at least %d", got, minimum)
	}
}

func TestResponseWriterKeepsItsInterfaces(t *testing.T) {
	t.Parallel()
	observe(t, false, func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Flusher); !ok {
			t.Error("the writer is not an http.Flusher")
		}
		if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
			t.Errorf("SetReadDeadline() = %v", err)
		}
	}, httptest.NewRequest("GET", "/", nil))
}

func TestHTTP10ConnectionsCloseAfterOneResponse(t *testing.T) {
	t.Parallel()
	handlers := []http.HandlerFunc{respondOK, func(http.ResponseWriter, *http.Request) { panic("boom") }}
	for minor, want := range map[int]string{0: "close", 1: ""} {
		for _, handler := range handlers {
			r := httptest.NewRequest("GET", "/", nil)
			r.ProtoMinor = minor
			recorder := httptest.NewRecorder()
			Observe(slog.New(slog.DiscardHandler), func() bool { return false })(handler).ServeHTTP(recorder, r)
			if got := recorder.Header().Get("Connection"); got != want {
				t.Errorf("HTTP/1.%d: Connection = %q, want %q", minor, got, want)
			}
		}
	}
}

func TestUpgradeWhileDrainingKeepsItsConnectionHeader(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	Observe(slog.New(slog.DiscardHandler), func() bool { return true })(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
		}),
	).ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
	if got, want := recorder.Header().Get("Connection"), "Upgrade"; got != want {
		t.Errorf("Connection = %q, want %q", got, want)
	}
}

func TestHijackedConnectionIsLoggedWith101(t *testing.T) {
	t.Parallel()
	_, lines := observe(t, false, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}, httptest.NewRequest("GET", "/", nil))
	if got := lines[0]["status"]; got != 101.0 {
		t.Errorf("status %v, want 101", got)
	}
}

func TestLogLineOfAnUnmatchedRequestHasItsPathAndIsShort(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(strings.Repeat("M", 60_000), "/a%0Ab/"+strings.Repeat("x", 5000), nil)
	_, lines := observe(t, false, respondOK, r)
	path, method := lines[0]["path"].(string), lines[0]["method"].(string)
	if !strings.HasPrefix(path, "/a%0Ab/x") || len(path) > longestPath+3 || len(method) > longestMethod+3 {
		t.Errorf("path %q, method %q; want both short, and the path escaped", path, method)
	}
}

func TestServerErrorsAreLoggedAtErrorLevelExceptTheLoadLimits(t *testing.T) {
	t.Parallel()
	for refusal, want := range map[string]string{"": "ERROR", "MAX_IN_FLIGHT": "INFO"} {
		_, lines := observe(t, false, func(w http.ResponseWriter, r *http.Request) {
			NoteRefusal(r.Context(), refusal)
			w.WriteHeader(http.StatusServiceUnavailable)
		}, httptest.NewRequest("GET", "/", nil))
		if got := lines[0]["level"]; got != want {
			t.Errorf("refused by %q: level %v, want %s", refusal, got, want)
		}
	}
}

// observer keeps what it learns of the last request.
type observer struct {
	began bool
	ended Outcome
}

type observerKey struct{}

func (o *observer) Begin(ctx context.Context, _ *http.Request) context.Context {
	o.began = true
	return context.WithValue(ctx, observerKey{}, o)
}

func (o *observer) End(_ *http.Request, outcome Outcome) { o.ended = outcome }

func TestObserversLearnOfEachRequest(t *testing.T) {
	t.Parallel()
	var seen observer
	limits := NewLimits(config.Config{MaxInFlight: 1})
	handler := limits.Apply(Route{Pattern: "GET /x"}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Context().Value(observerKey{}) != any(&seen) || !seen.began {
			t.Error("the handler's context is not the observer's")
		}
		panic("boom")
	}))
	Observe(slog.New(slog.DiscardHandler), func() bool { return false }, &seen)(handler).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
	if got := seen.ended; got.Method != "GET" || got.Route != "GET /x" || got.Status != 500 || got.Bytes == 0 ||
		got.Panic != "boom" || got.Start.IsZero() || got.Duration <= 0 {
		t.Errorf("the observer gets %+v", got)
	}
}

func TestFilesReachTheConnectionByReadFrom(t *testing.T) {
	t.Parallel()
	w := &readerFrom{ResponseWriter: httptest.NewRecorder()}
	Observe(slog.New(slog.DiscardHandler), func() bool { return false })(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader("file"), 4))
		}),
	).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if !w.used {
		t.Error("ReadFrom is not called")
	}
}

type readerFrom struct {
	http.ResponseWriter
	used bool
}

func (w *readerFrom) ReadFrom(source io.Reader) (int64, error) {
	w.used = true
	return io.Copy(w.ResponseWriter, source)
}
