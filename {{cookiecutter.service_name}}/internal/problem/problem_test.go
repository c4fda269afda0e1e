package problem

import (
	"bufio"
	"encoding/json/v2"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWriteRemovesHeadersOfTheReplacedBody(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Length", "9000")
	recorder.Header().Set("Content-Encoding", "gzip")
	recorder.Header().Set("ETag", `"1"`)
	recorder.Header().Set("Content-Type", "image/png")

	r := httptest.NewRequest("GET", "/", nil)
	Write(recorder, r, http.StatusTeapot, "Short and \xff stout.", Field{Pointer: "#/spout", Detail: "missing"})

	response := recorder.Result()
	if got, want := response.Header.Get("Content-Type"), "application/problem+json"; got != want {
		t.Errorf("Content-Type = %q, want %q", got, want)
	}
	for _, name := range []string{"Content-Length", "Content-Encoding", "ETag"} {
		if got := response.Header.Get(name); got != "" {
			t.Errorf("%s = %q, want none", name, got)
		}
	}
	want := `{"type":"about:blank","title":"I'm a teapot","status":418,"detail":"Short and ` + "\ufffd" + ` stout.",` +
		`"errors":[{"pointer":"#/spout","detail":"missing"}]}`
	if got := recorder.Body.String(); got != want {
		t.Errorf("body = %s, want %s", got, want)
	}
}

func TestUnmatchedAllowsTheMethodsOfThePath(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		mux.HandleFunc(method+" /thing", func(http.ResponseWriter, *http.Request) {})
	}
	mux.HandleFunc("/", Unmatched(mux))
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, httptest.NewRequest("GET", "/thing", nil))
	if got, want := recorder.Header().Get("Allow"), "PUT, PATCH, DELETE"; got != want {
		t.Errorf("Allow = %q, want %q", got, want)
	}
}

func TestRefuseClosesTheConnectionIfMuchOfTheBodyIsLeft(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		size   int64
		rest   int // what the handler has not read
		major  int
		expect string
		want   string
	}{
		{"no body", 0, 0, 1, "", ""},
		{"small", smallBody, smallBody, 1, "", ""},
		{"large", smallBody + 1, smallBody + 1, 1, "", "close"},
		{"large, but read", smallBody + 1, 0, 1, "", ""},
		{"unknown and large", -1, smallBody + 1, 1, "", "close"},
		{"unknown and small", -1, 1, 1, "", ""},
		{"not sent yet", 1, 1, 1, "100-continue", "close"},
		{"HTTP/2", -1, smallBody + 1, 2, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", test.rest)))
			r.ContentLength, r.ProtoMajor = test.size, test.major
			r.Header.Set("Expect", test.expect)
			recorder := httptest.NewRecorder()
			Refuse(recorder, r, http.StatusNotFound, "Not here.")
			if got := recorder.Header().Get("Connection"); got != test.want {
				t.Errorf("Connection = %q, want %q", got, test.want)
			}
		})
	}
}

func TestConnectionOfARefusedRequestServesTheNextOne(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			_ = json.MarshalWrite(w, r.Context().Err() == nil)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		Refuse(w, r, http.StatusNotFound, "Not here.")
		time.Sleep(2 * bodyGrace) // as if the machine were busy
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	responses := bufio.NewReader(conn)
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx",
		"GET / HTTP/1.1\r\nHost: test\r\n\r\n",
	} {
		_, _ = io.WriteString(conn, request)
		response, err := http.ReadResponse(responses, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode == http.StatusOK && string(body) != "true" {
			t.Error("the context of the next request is done, want it not to be")
		}
	}
}
