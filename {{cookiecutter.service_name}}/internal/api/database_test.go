package api

import (
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
	handler := testHandler(t)
	for _, headers := range [][]string{
		{"Idempotency-Key: "}, {`Idempotency-Key: ""`}, {"Idempotency-Key: a b"}, {"Idempotency-Key: é"},
		{"Idempotency-Key: " + strings.Repeat("k", 256)}, {"Idempotency-Key: a", "Idempotency-Key: b"},
	} {
		if got := ask(handler, "POST", "/v1/notes", `{"title":"a"}`, headers...).Code; got != http.StatusBadRequest {
			t.Errorf("%.40q: status %d, want 400", headers, got)
		}
	}
}
