package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"{{ cookiecutter.module_path }}/internal/httpserver"
	"{{ cookiecutter.module_path }}/internal/middleware"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// teapotError is an error that chooses its own response.
type teapotError struct{ error }

func (teapotError) Problem() (int, string, []problem.Field) {
	return http.StatusTeapot, "Short and stout.", nil
}

func TestErrorsStandForProblems(t *testing.T) {
	t.Parallel()
	long := []problem.Field{
		{Pointer: "#/a", Detail: "too long"},
	}
	tests := []struct {
		name   string
		err    error
		status int
		body   string // has this
	}{
		{"not found", fmt.Errorf("link %q: %w", "x", ErrNotFound), http.StatusNotFound, "nothing at this path"},
		{"conflict", fmt.Errorf("link: %w", ErrConflict), http.StatusConflict, "contradicts"},
		{"unavailable", fmt.Errorf("database: %w", ErrUnavailable), http.StatusServiceUnavailable, "unavailable"},
		{"slow dependency", fmt.Errorf("%w: %w", ErrUnavailable, os.ErrDeadlineExceeded), http.StatusServiceUnavailable, "unavailable"},
		{"dependency's own limits", fmt.Errorf("%w: %w", ErrUnavailable, &http.MaxBytesError{Limit: 7}), http.StatusServiceUnavailable, "unavailable"},
		{"stopping", fmt.Errorf("query: %w", httpserver.ErrStopping), http.StatusServiceUnavailable, "stopping"},
		{"invalid", InvalidError(long), http.StatusUnprocessableEntity, `"pointer":"#/a"`},
		{"deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), http.StatusGatewayTimeout, "in time"},
		{"slow body", fmt.Errorf("read: %w", middleware.ErrBodyTimeout), http.StatusRequestTimeout, "body did not arrive"},
		{"large body", fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7}), http.StatusRequestEntityTooLarge, "7 bytes"},
		{"its own", fmt.Errorf("tea: %w", teapotError{errors.New("pot")}), http.StatusTeapot, "Short and stout."},
		{"anything else", errors.New("secret detail"), http.StatusInternalServerError, "The service failed."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			fail(recorder, httptest.NewRequest("POST", "/", strings.NewReader("body")), test.err)
			if got := recorder.Code; got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			got := recorder.Body.String()
			if !strings.Contains(got, test.body) || strings.Contains(got, test.err.Error()) {
				t.Errorf("body %s, want it to have %q and not the error's text", got, test.body)
			}
			if hint := recorder.Header().Get("Retry-After"); (hint != "") != (test.status == http.StatusServiceUnavailable) {
				t.Errorf("status %d with Retry-After %q", test.status, hint)
			}
		})
	}
}

func TestCancelledRequests(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]int{context.Canceled: statusClientGone, httpserver.ErrStopping: 503} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		recorder := httptest.NewRecorder()
		fail(recorder, httptest.NewRequest("GET", "/", nil).WithContext(ctx), fmt.Errorf("query: %w", ctx.Err()))
		if got := recorder.Code; got != want {
			t.Errorf("cancelled by %q: status %d, want %d", cause, got, want)
		}
	}
}

func TestErrorAfterTheResponseStartedCutsItOff(t *testing.T) {
	t.Parallel()
	handler := middleware.Observe(slog.New(slog.DiscardHandler), func() bool { return false })(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			fail(w, r, ErrUnavailable)
		}))
	recorder := httptest.NewRecorder()
	defer func() {
		if got, ok := recover().(error); !ok || !errors.Is(got, http.ErrAbortHandler) {
			t.Errorf("panic %v, want http.ErrAbortHandler", got)
		}
		if got := recorder.Body.String(); got != "half" {
			t.Errorf("body %q, want nothing after the half", got)
		}
	}()
	handler.ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
}

func TestParameters(t *testing.T) {
	t.Parallel()
	read := func(target string) (string, error) {
		r := httptest.NewRequest("GET", target, nil)
		r.SetPathValue("id", "7")
		p := parametersOf(r)
		id, limit := p.number("id", 0, 1, 9), p.number("limit", 20, 1, 100)
		sort, since := p.oneOf("sort", "name", "name", "age"), p.time("since", time.Unix(0, 0).UTC())
		return fmt.Sprintf("%d %d %s %d", id, limit, sort, since.Year()), p.err()
	}
	for target, want := range map[string]string{
		"/": "7 20 name 1970",
		"/?limit=5&sort=age&since=2026-01-02T03:04:05Z": "7 5 age 2026",
	} {
		if got, err := read(target); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", target, got, err, want)
		}
	}
	_, err := read("/?limit=101&sort=size&since=today")
	recorder := httptest.NewRecorder()
	fail(recorder, httptest.NewRequest("GET", "/", nil), err)
	if got := recorder.Code; got != http.StatusBadRequest {
		t.Errorf("status %d, want 400", got)
	}
	for _, name := range []string{"limit", "sort", "since"} {
		if got, want := recorder.Body.String(), fmt.Sprintf(`"parameter":%q`, name); !strings.Contains(got, want) {
			t.Errorf("problem %s, want it to have %s", got, want)
		}
	}
}
