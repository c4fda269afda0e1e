package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"{{ cookiecutter.module_path }}/internal/database/databasetest"
)

// databaseHandler is testHandler with a database of its own. Behind testHandler nobody is there.
func databaseHandler(t *testing.T, variables ...string) http.Handler {
	t.Helper()
	return testHandler(t, append(variables, "DATABASE_URL="+databasetest.New(t))...)
}

// ask sends a request with headers such as "If-Match: *" and returns the response.
func ask(handler http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func TestErrorsOfTheDatabaseStandForAResponse(t *testing.T) {
	t.Parallel()
	refused := func(code string) error { return fmt.Errorf("query: %w", &pgconn.PgError{Code: code}) }
	over, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context //nolint:containedctx // a case has one
		err  error
		want error
	}{
		{"no rows", t.Context(), pgx.ErrNoRows, ErrNotFound},
		{"disk full", t.Context(), refused("53100"), ErrUnavailable},
		{"standby", t.Context(), refused("25006"), ErrUnavailable},
		{"deadlock", t.Context(), refused("40P01"), ErrUnavailable},
		{"cancelled by a timeout of the database", t.Context(), refused("57014"), context.DeadlineExceeded},
		{"cancelled by the client", over, refused("57014"), context.Canceled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := explained(test.ctx, test.err); !errors.Is(err, test.want) || !errors.Is(err, test.err) {
				t.Errorf("explained(%v) = %v, want it to be %v", test.err, err, test.want)
			}
		})
	}
	if err := refused("23505"); !errors.Is(explained(t.Context(), err), err) {
		t.Error("an error that the handler has to know is not returned as it is")
	}
}

func TestBadIdempotencyKeysAreRefused(t *testing.T) {
	t.Parallel()
	for _, keys := range [][]string{
		{""}, {`""`}, {"a b"}, {"é"}, {strings.Repeat("k", 256)}, {"a", "b"},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header["Idempotency-Key"] = keys
		if key, err := idempotencyKey(r); err == nil {
			t.Errorf("%.40q is the key %q, want an error", keys, key)
		}
	}
}

func TestEqualRequestsHaveTheSameHash(t *testing.T) {
	t.Parallel()
	type before struct {
		Labels map[string]int `json:"labels"`
	}
	type after struct {
		before
		Added string `json:"added"`
	}
	labels := map[string]int{"a": 1, "b": 2, "c": 3, "d": 4}
	want, err := hashOf(before{labels})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // the order of a map differs
		if got, _ := hashOf(after{before: before{labels}}); !bytes.Equal(got, want) {
			t.Fatal("equal requests have different hashes")
		}
	}
	if got, _ := hashOf(after{before{labels}, "x"}); bytes.Equal(got, want) {
		t.Error("different requests have the same hash")
	}
}
