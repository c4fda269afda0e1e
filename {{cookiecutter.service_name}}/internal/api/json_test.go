package api

import (
	"encoding/json/v2"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

type testBody struct {
	ID    int           `json:"id"`
	Items []string      `json:"items"`
	Wait  time.Duration `json:"wait,omitzero"`
	Shade shade         `json:"shade,omitzero"`
}

// shade is a type that says itself what is wrong.
type shade string

func (s *shade) UnmarshalText(text []byte) error {
	if *s = shade(text); *s != "grey" {
		return errors.New("the only shade is grey")
	}
	return nil
}

// decodeTestBody sends body to a handler that decodes it as a testBody and sends that back.
func decodeTestBody(contentType string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/test", body)
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	if value, ok := decode[testBody](w, r); ok {
		respond(w, http.StatusOK, value)
	}
	return w
}

func TestLongPointerIsShortened(t *testing.T) {
	t.Parallel()
	response := decodeTestBody("application/json", strings.NewReader(`{"`+strings.Repeat("x", 10*maxPointerLength)+`":1}`))
	got, most := response.Body.Len(), 3*maxPointerLength
	if response.Code != http.StatusBadRequest || got > most {
		t.Errorf("status %d with %d bytes, want 400 with at most %d bytes", response.Code, got, most)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	const jsonType = "application/json"
	tests := []struct {
		name, contentType, body string
		status                  int
		response                string // must contain this
	}{
		{"valid", jsonType, ` {"id":1,"items":["a"]} `, http.StatusOK, `{"id":1,"items":["a"]}`},
		{"with a charset", "Application/JSON; charset=utf-8", `{}`, http.StatusOK, `{"id":0,"items":[]}`},
		{"no type", "", `{}`, http.StatusUnsupportedMediaType, "application/json"},
		{"similar type", "text/json", `{}`, http.StatusUnsupportedMediaType, "application/json"},
		{"no type and no body", "", ``, http.StatusBadRequest, "at #, byte 0"},
		{"other type", "text/plain", `{}`, http.StatusUnsupportedMediaType, "application/json"},
		{"empty", jsonType, ``, http.StatusBadRequest, "at #, byte 0"},
		{"null", jsonType, `null`, http.StatusBadRequest, "at #"},
		{"not JSON", jsonType, `{"id":1`, http.StatusBadRequest, "at #"},
		{"trailing data", jsonType, `{} {}`, http.StatusBadRequest, "byte 3"},
		{"unknown member", jsonType, `{"id":1,"colour":"red"}`, http.StatusBadRequest, "unknown member at #/colour"},
		{"special characters", jsonType, `{"a b/é":1}`, http.StatusBadRequest, "unknown member at #/a%20b~1%C3%A9"},
		{"member in other case", jsonType, `{"ID":1}`, http.StatusBadRequest, "unknown member at #/ID"},
		{"duplicate member", jsonType, `{"id":1,"id":2}`, http.StatusBadRequest, "at #/id"},
		{"invalid UTF-8", jsonType, "{\"items\":[\"\xff\"]}", http.StatusBadRequest, "at #/items/0"},
		{"lone surrogate", jsonType, `{"items":["\ud800"]}`, http.StatusBadRequest, "at #/items/0"},
		{"wrong type", jsonType, `{"items":[7]}`, http.StatusBadRequest, "wrong type at #/items/0"},
		{"number out of range", jsonType, `{"id":1e999}`, http.StatusBadRequest, "at #/id"},
		{"duration", jsonType, `{"wait":"1m30s"}`, http.StatusOK, `"wait":"1m30s"`},
		{"bad duration", jsonType, `{"wait":90}`, http.StatusBadRequest, "bad value at #/wait, byte 8: must be a duration"},
		{"what a type says", jsonType, `{"shade":"red"}`, http.StatusBadRequest, "at #/shade, byte 9: the only shade is grey"},
		{"deeply nested", jsonType, strings.Repeat("[", 100_000), http.StatusBadRequest, "at #"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response := decodeTestBody(test.contentType, strings.NewReader(test.body))
			if got := response.Code; got != test.status {
				t.Errorf("status %d, want %d: %s", got, test.status, response.Body)
			}
			if got := response.Body.String(); !strings.Contains(got, test.response) || strings.Contains(got, "api.testBody") {
				t.Errorf("response %.300s, want it to contain %q and no Go type", got, test.response)
			}
		})
	}
}

func TestDecodeRejectsTooLargeBodies(t *testing.T) {
	t.Parallel()
	tooLarge := http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(`{"id":1}`)), 4)
	if got, want := decodeTestBody("application/json", tooLarge).Code, http.StatusRequestEntityTooLarge; got != want {
		t.Errorf("status %d, want %d", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"items":["a","é"]}`, `null`, `{`, "\xff", `{"id":1}{"id":2}`, `{"a":{"b":[1e400]}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		response := decodeTestBody("application/json", strings.NewReader(body))
		if !utf8.Valid(response.Body.Bytes()) {
			t.Errorf("the response is not UTF-8: %q", response.Body)
		}
		switch response.Code {
		case http.StatusOK:
			again := decodeTestBody("application/json", strings.NewReader(response.Body.String()))
			if again.Body.String() != response.Body.String() {
				t.Errorf("%s decodes again to %s", response.Body, again.Body)
			}
		case http.StatusBadRequest:
			var problem struct {
				Detail string `json:"detail"`
			}
			if err := json.Unmarshal(response.Body.Bytes(), &problem); err != nil || problem.Detail == "" {
				t.Errorf("the problem has no detail: %s (%v)", response.Body, err)
			}
		default:
			t.Errorf("status %d for %q", response.Code, body)
		}
	})
}
