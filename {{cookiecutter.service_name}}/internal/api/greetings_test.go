package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGreet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		status     int
		answer     string // has this
	}{
		{"a name", `{"name":"Ada"}`, http.StatusOK, `{"message":"Hello, Ada!"}`},
		{"the longest", `{"name":"` + strings.Repeat("é", 100) + `"}`, http.StatusOK, "Hello, éé"},
		{"too long", `{"name":"` + strings.Repeat("é", 101) + `"}`, http.StatusUnprocessableEntity, `"pointer":"#/name"`},
		{"empty", `{"name":""}`, http.StatusUnprocessableEntity, `"pointer":"#/name"`},
		{"missing", `{}`, http.StatusUnprocessableEntity, `"pointer":"#/name"`},
		{"control character", `{"name":"A\u0007"}`, http.StatusUnprocessableEntity, `"pointer":"#/name"`},
		{"unknown member", `{"name":"Ada","age":36}`, http.StatusBadRequest, "#/age"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/v1/greetings", strings.NewReader(test.body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			testHandler(t).ServeHTTP(w, r)
			if got := w.Code; got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			if got := w.Body.String(); !strings.Contains(got, test.answer) {
				t.Errorf("answer %s, want it to have %s", got, test.answer)
			}
		})
	}
}
