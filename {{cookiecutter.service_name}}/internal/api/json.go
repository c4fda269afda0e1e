package api

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"os"

	"{{ cookiecutter.module_path }}/internal/problem"
)

// decode reads the body of r as one JSON value, without unknown members. If the body is bad, decode tells the client
// what is wrong and where, and returns false.
func decode[T any](w http.ResponseWriter, r *http.Request) (T, bool) {
	var value *T // stays nil if the body is null
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType != "application/json" && r.ContentLength != 0 {
		problem.Refuse(w, r, http.StatusUnsupportedMediaType, "The Content-Type of the body must be application/json.")
		return *new(T), false
	}
	err := json.UnmarshalRead(r.Body, &value, json.RejectUnknownMembers(true))
	if err != nil || value == nil {
		refuseBody(w, r, err)
		return *new(T), false
	}
	return *value, true
}

// refuseBody tells the client why its body was rejected. A nil err means that the body is null.
func refuseBody(w http.ResponseWriter, r *http.Request, err error) {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		problem.BodyTooLarge(w, r, tooLarge.Limit)
		return
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		problem.Refuse(w, r, http.StatusRequestTimeout, "The body did not arrive in time.")
		return
	}
	problem.Write(w, r, http.StatusBadRequest, reasonFor(err))
}

// reasonFor says what is wrong with a body. The messages of encoding/json would show the names of Go types.
func reasonFor(err error) string {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("The body is not valid JSON at %s, byte %d: %v.", shortPointer(e.JSONPointer), e.ByteOffset, e.Err)
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		if errors.Is(e.Err, json.ErrUnknownName) {
			return fmt.Sprintf("The body has an unknown member at %s.", shortPointer(e.JSONPointer))
		}
		return fmt.Sprintf("The body has a value of the wrong type at %s, byte %d.",
			shortPointer(e.JSONPointer), e.ByteOffset)
	}
	if err == nil {
		return "The body is null, at #, byte 0."
	}
	return "The body could not be read to its end."
}

// maxPointerLength is how many bytes of a JSON pointer are shown. A client can make it as long as the body.
const maxPointerLength = 200

// shortPointer formats a JSON pointer as a URI fragment. "#" is the whole body. See RFC 6901, section 6.
func shortPointer(pointer jsontext.Pointer) string {
	if len(pointer) > maxPointerLength {
		pointer = pointer[:maxPointerLength] + "..."
	}
	return "#" + (&url.URL{Fragment: string(pointer)}).EscapedFragment()
}

// respond sends value as JSON.
func respond(w http.ResponseWriter, status int, value any) {
	body := mustJSON(value)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// mustJSON panics if value cannot be JSON, such as a channel or NaN. That is a bug in this program.
func mustJSON(value any) []byte {
	body, err := json.Marshal(value, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err)
	}
	return body
}
