package api

import (
	"context"
	"errors"
	"fmt"
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

// errorAnswer is what a client learns of an error.
type errorAnswer struct {
	status    int
	detail    string
	fields    []problem.Field
	limit     string // the variable of the limit that refused the request
	isFailure bool   // of this service or what it depends on: it is logged
	isEnd     bool   // the client left, or the service stops
}

// answerToError returns the answer that err stands for. What it does not know is a failure of this service: the client gets a 500
// without the error. ctx is the request's.
func answerToError(ctx context.Context, err error) errorAnswer {
{%- if cookiecutter.database != "none" %}
	err = explained(ctx, err)
{%- endif %}
	isOver := ctx.Err() != nil
	cancelled := isOver && errors.Is(err, context.Canceled)
	stopping := errors.Is(err, httpserver.ErrStopping) || // the cause, as http.Client returns it
		cancelled && errors.Is(context.Cause(ctx), httpserver.ErrStopping)
	tooLarge, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	own, isOwn := errors.AsType[Problem](err)
	switch {
	case stopping:
		return errorAnswer{status: http.StatusServiceUnavailable, detail: "The service is stopping.", isEnd: true}
	case cancelled:
		return errorAnswer{status: statusClientGone, isEnd: true}
	case isOver && errors.Is(err, context.DeadlineExceeded):
		return errorAnswer{status: http.StatusGatewayTimeout, detail: detailOfTimeout, limit: "REQUEST_TIMEOUT", isFailure: true}
	case errors.Is(err, ErrUnavailable): // whatever else err wraps happened to the dependency
		const detail = "A part that the service depends on is unavailable. Try again."
		return errorAnswer{status: http.StatusServiceUnavailable, detail: detail, isFailure: true}
	case isTooLarge:
		detail := fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit)
		return errorAnswer{status: http.StatusRequestEntityTooLarge, detail: detail, limit: "MAX_BODY_BYTES"}
	case isOwn:
		status, detail, fields := own.Problem()
		return errorAnswer{status: status, detail: detail, fields: fields, isFailure: status >= http.StatusInternalServerError}
	case errors.Is(err, ErrNotFound):
		return errorAnswer{status: http.StatusNotFound, detail: "There is nothing at this path."}
	case errors.Is(err, ErrConflict):
		return errorAnswer{status: http.StatusConflict, detail: "The request contradicts the present state."}
	case errors.Is(err, context.DeadlineExceeded): // a shorter one of the handler's own
		return errorAnswer{status: http.StatusGatewayTimeout, detail: detailOfTimeout, isFailure: true}
	case errors.Is(err, middleware.ErrBodyTimeout):
		const detail = "The body did not arrive in time."
		return errorAnswer{status: http.StatusRequestTimeout, detail: detail, limit: "READ_TIMEOUT"}
	}
	const detail = "The service failed. Its log has the request's id."
	return errorAnswer{status: http.StatusInternalServerError, detail: detail, isFailure: true}
}

const detailOfTimeout = "The service did not finish the request in time."

// fail responds with the problem that err stands for, and logs a failure.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	a := answerToError(r.Context(), err)
	hasStarted := middleware.ResponseStarted(r.Context())
	if a.isFailure || hasStarted && !a.isEnd {
		middleware.LogFailure(r.Context(), err)
	}
	if hasStarted {
		panic(http.ErrAbortHandler) // the client must not take half a response for a whole one
	}
	if a.status == statusClientGone {
		w.WriteHeader(statusClientGone)
		return
	}
	middleware.NoteRefusal(r.Context(), a.limit)
	problem.Refuse(w, r, a.status, a.detail, a.fields...)
}
