// Package problem writes errors as application/problem+json: https://www.rfc-editor.org/rfc/rfc9457.
package problem

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"{{ cookiecutter.module_path }}/internal/requestid"
)

// details is the body of a problem. Type is always "about:blank": the status says what kind of problem it is.
type details struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail,omitzero"`
	RequestID string  `json:"request_id,omitzero"`
	Errors    []Field `json:"errors,omitempty"`
}

// Field describes one bad value: where it is and what is wrong with it. Pointer is a JSON pointer into the body, such as
// "#/name"; Parameter is the name of a value in the path or the query.
type Field struct {
	Pointer   string `json:"pointer,omitzero"`
	Parameter string `json:"parameter,omitzero"`
	Detail    string `json:"detail"`
}

// bodyHeaders describe a body. If a handler has set them, they are wrong for the problem that replaces its body.
var bodyHeaders = []string{
	"Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range", "ETag", "Expires", "Last-Modified",
}

// A refused request keeps its connection if what is left of its body is not larger than smallBody and arrives within
// bodyGrace.
const (
	smallBody = 64 << 10 // bytes
	bodyGrace = 50 * time.Millisecond
)

// Write responds with a problem. The detail tells the client how to correct the request. It never shows what went wrong
// inside the service: that belongs in the log.
func Write(w http.ResponseWriter, r *http.Request, status int, detail string, fields ...Field) {
{%- if cookiecutter.rpc != "none" %}
	if refuseCall(w, r, status, detail, fields) {
		return
	}
{%- endif %}
	problem := details{"about:blank", http.StatusText(status), status, detail, requestid.From(r.Context()), fields}
	body, err := json.Marshal(problem, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // a struct of strings and integers always marshals
	}
	for _, name := range bodyHeaders {
		w.Header().Del(name)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Refuse responds with a problem, also before the body is read. http.Server reads the rest of a body before it responds,
// so Refuse bounds how long that takes, or closes the connection. HTTP/2 needs no such thing: it ends the one stream. After
// 503 the client should come back.
func Refuse(w http.ResponseWriter, r *http.Request, status int, detail string, fields ...Field) {
	if status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		finishBody(w, r)
	}
	Write(w, r, status, detail, fields...)
}

// finishBody reads the rest of a small body, or has the connection closed.
func finishBody(w http.ResponseWriter, r *http.Request) {
	if !readRest(w, r) {
		w.Header().Set("Connection", "close")
	}
}

// readRest reads the rest of a small body, and reports whether that was all of it.
func readRest(w http.ResponseWriter, r *http.Request) bool {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyGrace)) // http.Server waits no longer either, before it closes
	if r.Header.Get("Expect") != "" {
		return false // to read the body would be to ask for it
	}
	if _, err := io.CopyN(io.Discard, r.Body, smallBody+1); err != io.EOF { //nolint:errorlint // CopyN does not wrap it
		return false
	}
	// http.Server now reads in the background, to see that the client leaves. A deadline would look the same.
	_ = control.SetReadDeadline(time.Time{})
	return true
}

// BodyTooLarge responds with 413.
func BodyTooLarge(w http.ResponseWriter, r *http.Request, limit int64) {
	if r.ProtoMajor == 1 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyGrace))
		w.Header().Set("Connection", "close")
	}
	Write(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", limit))
}

// Unavailable responds with 503.
func Unavailable(w http.ResponseWriter, r *http.Request, detail string) {
	Refuse(w, r, http.StatusServiceUnavailable, detail)
}

// TimedOut responds with 504.
func TimedOut(w http.ResponseWriter, r *http.Request) {
	Refuse(w, r, http.StatusGatewayTimeout, "The service did not finish the request in time.")
}

// Unmatched handles requests that match no route. If the path has other methods, it responds with 405 and Allow,
// otherwise with 404. The mux does the same, but in plain text.
func Unmatched(mux *http.ServeMux) http.HandlerFunc {
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range methods {
			other := &http.Request{Method: method, Host: r.Host, URL: r.URL}
			if _, pattern := mux.Handler(other); pattern != r.Pattern {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			Refuse(w, r, http.StatusNotFound, "There is nothing at this path.")
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		Refuse(w, r, http.StatusMethodNotAllowed, "This path takes other methods.")
	}
}
