package api

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"{{ cookiecutter.module_path }}/internal/middleware"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// validator is implemented by bodies that check themselves. Validate has an entry for each bad value.
type validator interface {
	Validate() []problem.Field
}

// decode reads the body of r as one JSON value, without unknown members, and validates it if T is a validator. If the body
// is bad, decode tells the client what is wrong and where, and returns false.
func decode[T any](w http.ResponseWriter, r *http.Request) (T, bool) {
	value, err := decodeBody[T](r)
	if err != nil {
		fail(w, r, err)
		return *new(T), false
	}
	return *value, true
}

func decodeBody[T any](r *http.Request) (*T, error) {
	var value *T // stays nil if the body is null
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType != "application/json" && r.ContentLength != 0 {
		const detail = "The Content-Type of the body must be application/json."
		return nil, badRequestError{http.StatusUnsupportedMediaType, detail, nil}
	}
	err := json.UnmarshalRead(r.Body, &value, json.RejectUnknownMembers(true), durations)
	if err != nil || value == nil {
		return nil, errorOf(err)
	}
	if v, ok := any(value).(validator); ok {
		if fields := v.Validate(); len(fields) > 0 {
			return nil, InvalidError(fields)
		}
	}
	return value, nil
}

// errorOf says why a body was rejected. A nil err means that the body is null.
func errorOf(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
	}
	if errors.Is(err, middleware.ErrBodyTimeout) {
		return err
	}
	return badRequestError{http.StatusBadRequest, reasonFor(err), nil}
}

// durations makes a time.Duration a text such as "1m30s", because encoding/json/v2 has no form for it.
var durations = json.JoinOptions(
	json.WithMarshalers(json.MarshalFunc(func(d time.Duration) ([]byte, error) {
		return json.Marshal(d.String())
	})),
	json.WithUnmarshalers(json.UnmarshalFunc(func(text []byte, d *time.Duration) (err error) {
		var value string
		if err = json.Unmarshal(text, &value); err == nil {
			*d, err = time.ParseDuration(value)
		}
		if err != nil {
			return errors.New("must be a duration such as 1m30s")
		}
		return nil
	})),
)

// reasonFor says what is wrong with a body. The messages of encoding/json would show the names of Go types.
func reasonFor(err error) string {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("The body is not valid JSON at %s, byte %d: %v.", shortPointer(e.JSONPointer), e.ByteOffset, e.Err)
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		if errors.Is(e.Err, json.ErrUnknownName) {
			return fmt.Sprintf("The body has an unknown member at %s.", shortPointer(e.JSONPointer))
		}
		if e.Err != nil && !errors.Is(e.Err, strconv.ErrRange) {
			return fmt.Sprintf("The body has a bad value at %s, byte %d: %.200v.", shortPointer(e.JSONPointer), e.ByteOffset, e.Err)
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
	body, err := json.Marshal(value, jsontext.AllowInvalidUTF8(true), durations)
	if err != nil {
		panic(err)
	}
	return body
}
