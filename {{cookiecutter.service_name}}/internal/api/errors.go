package api

import (
	"context"
	"errors"
	"net/http"

	"{{ cookiecutter.module_path }}/internal/httpserver"
	"{{ cookiecutter.module_path }}/internal/middleware"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// Errors that stand for a response. Wrap one, as in fmt.Errorf("link %q: %w", code, ErrNotFound): the client gets the
// status, and the text stays inside the service.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrUnavailable = errors.New("a dependency is unavailable")
)

// Problem is an error that says itself what the client gets.
type Problem interface {
	error
	Problem() (status int, detail string, fields []problem.Field)
}

// InvalidError has an entry for each bad value of a request. The client gets 422.
type InvalidError []problem.Field

func (i InvalidError) Error() string { return "the request has bad values" }

// Problem implements [Problem].
func (i InvalidError) Problem() (int, string, []problem.Field) {
	return http.StatusUnprocessableEntity, "The request has values out of range.", i
}

// badRequestError is a request that cannot be read.
type badRequestError struct {
	status int
	detail string
	fields []problem.Field
}

func (b badRequestError) Error() string { return b.detail }

func (b badRequestError) Problem() (int, string, []problem.Field) {
	return b.status, b.detail, b.fields
}

// statusClientGone is what nginx logs for a client that did not wait for the response.
const statusClientGone = 499

// fail responds with the problem that err stands for. What it does not know is a failure of this service: the error is
// logged, and the client gets a 500 without it.
func fail(w http.ResponseWriter, r *http.Request, err error) {
{%- if cookiecutter.database != "none" %}
	err = explained(r.Context(), err)
{%- endif %}
	isOver := r.Context().Err() != nil
	cancelled := isOver && errors.Is(err, context.Canceled)
	timedOut := isOver && errors.Is(err, context.DeadlineExceeded)
	stopping := errors.Is(err, httpserver.ErrStopping) || // the cause, as http.Client returns it
		cancelled && errors.Is(context.Cause(r.Context()), httpserver.ErrStopping)
	if middleware.ResponseStarted(r) {
		if !cancelled && !stopping {
			middleware.LogFailure(r, err)
		}
		panic(http.ErrAbortHandler) // the client must not take half a response for a whole one
	}
	tooLarge, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	own, isOwn := errors.AsType[Problem](err)
	switch {
	case stopping:
		problem.Unavailable(w, r, "The service is stopping.")
	case cancelled:
		w.WriteHeader(statusClientGone)
	case timedOut:
		middleware.LogFailure(r, err)
		middleware.NoteRefusal(r, "REQUEST_TIMEOUT")
		problem.TimedOut(w, r)
	case errors.Is(err, ErrUnavailable): // whatever else err wraps happened to the dependency
		middleware.LogFailure(r, err)
		problem.Unavailable(w, r, "A part that the service depends on is unavailable. Try again.")
	case isTooLarge:
		middleware.NoteRefusal(r, "MAX_BODY_BYTES")
		problem.BodyTooLarge(w, r, tooLarge.Limit)
	case isOwn:
		status, detail, fields := own.Problem()
		if status >= http.StatusInternalServerError {
			middleware.LogFailure(r, err)
		}
		problem.Refuse(w, r, status, detail, fields...)
	case errors.Is(err, ErrNotFound):
		problem.Refuse(w, r, http.StatusNotFound, "There is nothing at this path.")
	case errors.Is(err, ErrConflict):
		problem.Refuse(w, r, http.StatusConflict, "The request contradicts the present state.")
	case errors.Is(err, context.DeadlineExceeded): // a shorter one of the handler's own
		middleware.LogFailure(r, err)
		problem.TimedOut(w, r)
	case errors.Is(err, middleware.ErrBodyTimeout):
		middleware.NoteRefusal(r, "READ_TIMEOUT")
		problem.Refuse(w, r, http.StatusRequestTimeout, "The body did not arrive in time.")
	default:
		middleware.LogFailure(r, err)
		problem.Refuse(w, r, http.StatusInternalServerError, "The service failed. Its log has the request's id.")
	}
}
