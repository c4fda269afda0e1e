package problem

import (
	"errors"
	"io"
	"net/http"
)

// FinishBodies does for the responses of next what Refuse does for a problem: a response that starts before the body was
// read does not wait for it. Connect itself refuses calls in this way. It also wants a [http.Flusher], which a writer of a
// middleware may not be.
func FinishBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waits := r.ProtoMajor == 1 && r.ContentLength != 0
		if _, canFlush := w.(http.Flusher); canFlush && !waits {
			next.ServeHTTP(w, r)
			return
		}
		e := &earlyResponse{ResponseWriter: w, ReadCloser: r.Body, request: r, isRead: !waits}
		next.ServeHTTP(e, withBody(r, e))
		e.start()
	})
}

// withBody returns a copy of r with another body.
func withBody(r *http.Request, body io.ReadCloser) *http.Request {
	r = r.WithContext(r.Context())
	r.Body = body
	return r
}

// earlyResponse is a response and the body of its request.
type earlyResponse struct {
	http.ResponseWriter
	io.ReadCloser
	request            *http.Request // with the body itself
	isRead, hasStarted bool
}

func (e *earlyResponse) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	e.isRead = e.isRead || errors.Is(err, io.EOF)
	return n, err
}

func (e *earlyResponse) start() {
	if !e.hasStarted && !e.isRead {
		finishBody(e.ResponseWriter, e.request)
	}
	e.hasStarted = true
}

// WriteHeader implements [http.ResponseWriter].
func (e *earlyResponse) WriteHeader(status int) {
	e.start()
	e.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (e *earlyResponse) Write(p []byte) (int, error) {
	e.start()
	return e.ResponseWriter.Write(p)
}

// Flush implements [http.Flusher].
func (e *earlyResponse) Flush() {
	e.start()
	_ = http.NewResponseController(e.ResponseWriter).Flush()
}

// Unwrap is called by [http.ResponseController].
func (e *earlyResponse) Unwrap() http.ResponseWriter { return e.ResponseWriter }
