// Package problem writes errors as application/problem+json: https://www.rfc-editor.org/rfc/rfc9457.
package problem

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"net/http"

	"{{ cookiecutter.module_path }}/internal/requestid"
)

// details is the body of a problem. Its type is always "about:blank": the status says what kind it is.
type details struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail,omitzero"`
	RequestID string  `json:"request_id,omitzero"`
	Errors    []Field `json:"errors,omitempty"`
}

// Field is one bad value in a body: where it is, as a JSON pointer ("#/name"), and what is wrong with it.
type Field struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Write answers r with a problem. The detail is for the client: it helps to mend the request and never shows what
// went wrong inside the service; that belongs in the log.
func Write(w http.ResponseWriter, r *http.Request, status int, detail string, fields ...Field) {
	body, err := json.Marshal(details{
		Type:      "about:blank",
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    detail,
		RequestID: requestid.From(r.Context()),
		Errors:    fields,
	}, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // a struct of strings and integers always marshals
	}
	header := w.Header()
	header.Del("Content-Encoding") // what a handler had planned for the body it did not write
	header.Del("Content-Length")
	header.Del("ETag")
	header.Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// BodyTooLarge answers r with 413 and closes the connection, since the rest of the body is on it.
func BodyTooLarge(w http.ResponseWriter, r *http.Request, limit int64) {
	w.Header().Set("Connection", "close")
	Write(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", limit))
}
