package api

import (
	"encoding/json/v2"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func read[T any](t *testing.T, response *httptest.ResponseRecorder) (value T) {
	t.Helper()
	if err := json.Unmarshal(response.Body.Bytes(), &value); err != nil {
		t.Fatalf("%s: %v", response.Body, err)
	}
	return value
}

func TestANoteIsCreatedReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	handler := databaseHandler(t)
	created := ask(handler, "POST", "/v1/notes", `{"title":"Milk","text":"Two litres"}`)
	if created.Code != http.StatusCreated {
		t.Fatalf("POST: status %d: %s", created.Code, created.Body)
	}
	location, etag := created.Header().Get("Location"), created.Header().Get("ETag")
	if got := read[note](t, created); location != "/v1/notes/"+got.ID || got.Title != "Milk" || got.Text != "Two litres" {
		t.Errorf("POST: Location %s and note %+v", location, got)
	}
	if got := ask(handler, "GET", location, ""); got.Body.String() != created.Body.String() || got.Header().Get("ETag") != etag {
		t.Errorf("GET: ETag %s and note %s, want %s and %s", got.Header().Get("ETag"), got.Body, etag, created.Body)
	}
	const changed = `{"title":"Milk","text":"One litre"}`
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
	}{
		{"the title is taken", "POST", "/v1/notes", `{"title":"Milk"}`, nil, http.StatusConflict},
		{"without If-Match", "PUT", location, changed, nil, http.StatusPreconditionRequired},
		{"of another version", "PUT", location, changed, []string{`If-Match: "7"`, `If-Match: W/"1"`}, http.StatusPreconditionFailed},
		{"of this version", "PUT", location, changed, []string{`If-Match: "7", ` + etag}, http.StatusOK},
		{"changed since", "PUT", location, changed, []string{"If-Match: " + etag}, http.StatusPreconditionFailed},
		{"of any version", "PUT", location, changed, []string{"If-Match: *"}, http.StatusOK},
		{"deleted in another version", "DELETE", location, "", []string{`If-Match: "03"`}, http.StatusPreconditionFailed},
		{"deleted", "DELETE", location, "", nil, http.StatusNoContent},
		{"deleted again", "DELETE", location, "", nil, http.StatusNotFound},
		{"read when it is gone", "GET", location, "", nil, http.StatusNotFound},
		{"changed when it is gone", "PUT", location, changed, []string{"If-Match: *"}, http.StatusNotFound},
		{"no id", "GET", "/v1/notes/7", "", nil, http.StatusNotFound},
		{"title too long", "POST", "/v1/notes", `{"title":"` + strings.Repeat("é", 201) + `"}`, nil, http.StatusUnprocessableEntity},
		{"NUL", "POST", "/v1/notes", `{"title":"a","text":"\u0000"}`, nil, http.StatusUnprocessableEntity},
	}
	for _, test := range tests {
		if got := ask(handler, test.method, test.path, test.body, test.headers...); got.Code != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.name, got.Code, test.status, got.Body)
		}
	}
}

func TestTheSameRequestIsDoneOnce(t *testing.T) {
	t.Parallel()
	handler := databaseHandler(t)
	post := func(body string) *httptest.ResponseRecorder {
		return ask(handler, "POST", "/v1/notes", body, `Idempotency-Key: "order-1"`)
	}
	if got := post(`{"title":""}`).Code; got != http.StatusUnprocessableEntity {
		t.Errorf("a bad request: status %d, want 422", got)
	}
	first, second := post(`{"title":"Milk"}`), post(`{ "title": "Milk" }`)
	if first.Code != http.StatusCreated || second.Code != http.StatusCreated || first.Body.String() != second.Body.String() {
		t.Errorf("the same request twice: %d %s and %d %s", first.Code, first.Body, second.Code, second.Body)
	}
	if first.Header().Get("Location") != second.Header().Get("Location") {
		t.Error("the same request has two locations")
	}
	if got := post(`{"title":"Bread"}`).Code; got != http.StatusUnprocessableEntity {
		t.Errorf("another request with the same key: status %d, want 422", got)
	}
}

func TestPagesHaveEachNoteOnceNewestFirst(t *testing.T) {
	t.Parallel()
	handler := databaseHandler(t)
	for i := range 5 {
		ask(handler, "POST", "/v1/notes", fmt.Sprintf(`{"title":"%d"}`, i))
	}
	var titles strings.Builder
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		list := read[noteList](t, ask(handler, "GET", "/v1/notes?limit=2&cursor="+cursor, ""))
		for _, note := range list.Notes {
			titles.WriteString(note.Title)
		}
		cursor = list.NextCursor
		ask(handler, "POST", "/v1/notes", fmt.Sprintf(`{"title":"added %d"}`, pages))
	}
	if got := titles.String(); got != "43210" {
		t.Errorf("the pages have %s, want 43210", got)
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "cursor=x", "cursor=AAAAAAAAAAAAAAAAAAAAAHt9"} {
		if got := ask(handler, "GET", "/v1/notes?"+query, "").Code; got != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", query, got)
		}
	}
}
