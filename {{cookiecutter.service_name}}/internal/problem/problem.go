// Package problem writes errors as application/problem+json: https://www.rfc-editor.org/rfc/rfc9457.
package problem

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"net/http"
	"strings"

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

// Field describes one bad value in a body: its JSON pointer, such as "#/name", and what is wrong with it.
type Field struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// bodyHeaders describe a body. If a handler has set them, they are wrong for the problem that replaces its body.
var bodyHeaders = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range", "ETag", "Expires",
	"Last-Modified",
}

// Write responds with a problem. The detail tells the client how to correct the request. It never shows what went wrong
// inside the service: that belongs in the log.
func Write(w http.ResponseWriter, r *http.Request, status int, detail string, fields ...Field) {
	problem := details{"about:blank", http.StatusText(status), status, detail, requestid.From(r.Context()), fields}
	body, err := json.Marshal(problem, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // a struct of strings and integers always marshals
	}
	for _, name := range bodyHeaders {
		w.Header().Del(name)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Refuse responds with a problem before the body is read. If there is a body, Refuse closes the connection. Otherwise
// http.Server would read the body before it sends the response, and wait long for a slow client.
func Refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	Write(w, r, status, detail)
}

// BodyTooLarge responds with 413.
func BodyTooLarge(w http.ResponseWriter, r *http.Request, limit int64) {
	Refuse(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", limit))
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
