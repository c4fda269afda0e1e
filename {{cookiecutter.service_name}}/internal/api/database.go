package api

import (
	"context"
	"crypto/sha256"
	"encoding/json/v2"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"

	"{{ cookiecutter.module_path }}/internal/database"
	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// ready returns the check of /readyz: the database, and then what the service itself says.
func (s *Service) ready(ctx context.Context) error {
	if err := s.Database.Ready(ctx); err != nil {
		return health.PartError{Part: "database", Err: err}
	}
	return s.Ready(ctx)
}

// explained returns the error of errors.go that an error of the database stands for. Others are returned as they are.
func explained(ctx context.Context, err error) error {
	isUnavailable := database.IsUnavailable(err)
	switch {
	case ctx.Err() != nil && (isUnavailable || database.IsCancelled(err)):
		return errors.Join(ctx.Err(), err)
	case isUnavailable:
		return fmt.Errorf("%w: database: %w", ErrUnavailable, err)
	case database.IsCancelled(err): // by a timeout that is shorter than the request's
		return errors.Join(context.DeadlineExceeded, err)
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, database.ErrInFlight):
		return badRequestError{http.StatusConflict, "A request with this Idempotency-Key is in progress. Try again.", nil}
	case errors.Is(err, database.ErrKeyReused):
		return badRequestError{http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request.", nil}
	}
	return err
}

// once responds with what do returns. It is for requests that change something: do runs in a transaction. If the client sent
// an Idempotency-Key, the work is done once, and the client gets the same response each time. request is the decoded body,
// by which a key that is used for another request is found.
func (s *Service) once(
	w http.ResponseWriter, r *http.Request, request any,
	do func(ctx context.Context, tx database.Tx) (database.Answer, error),
) {
	answer, err := s.answer(r, request, do)
	if err != nil {
		fail(w, r, err)
		return
	}
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}

func (s *Service) answer(
	r *http.Request, request any, do func(ctx context.Context, tx database.Tx) (database.Answer, error),
) (answer database.Answer, err error) {
	key, err := idempotencyKey(r)
	if err != nil {
		return answer, err
	}
	if key == "" {
		err = s.Database.InTx(r.Context(), func(ctx context.Context, tx database.Tx) (err error) {
			answer, err = do(ctx, tx)
			return err
		})
		return answer, err
	}
	hash, err := hashOf(request)
	if err != nil {
		return answer, err
	}
	return s.Database.Once(r.Context(), database.Claim{Route: r.Pattern + " " + r.URL.Path, Key: key, Request: hash}, do)
}

// hashOf returns the same for equal requests. Without the members that are zero, a release that adds one knows the requests of
// the release before.
func hashOf(request any) ([]byte, error) {
	text, err := json.Marshal(request, json.Deterministic(true), json.OmitZeroStructFields(true))
	hash := sha256.Sum256(text)
	return hash[:], err
}

// idempotencyKey returns the key of a request, or "". The quotes that the draft wants are optional.
func idempotencyKey(r *http.Request) (string, error) {
	const name = "Idempotency-Key"
	values := r.Header.Values(name)
	if len(values) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(values[0])
	if quoted, ok := strings.CutPrefix(key, `"`); ok && strings.HasSuffix(quoted, `"`) {
		key = strings.TrimSuffix(quoted, `"`)
	}
	isBad := func(c rune) bool { return c <= ' ' || c > '~' || c == '"' }
	if len(values) > 1 || len(key) < 1 || len(key) > 255 || strings.ContainsFunc(key, isBad) {
		return "", badRequestError{http.StatusBadRequest, "The request has a bad header.", []problem.Field{
			{Parameter: name, Detail: "has to be one key of 1 to 255 visible ASCII characters"},
		}}
	}
	return key, nil
}

// answerWith returns an answer with value as its JSON. The header may be nil.
func answerWith(status int, header http.Header, value any) database.Answer {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return database.Answer{Status: status, Header: header, Body: mustJSON(value)}
}
