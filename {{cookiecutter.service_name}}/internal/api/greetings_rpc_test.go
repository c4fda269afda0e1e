package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"

	greetingsv1 "{{ cookiecutter.module_path }}/internal/gen/greetings/v1"
	"{{ cookiecutter.module_path }}/internal/gen/greetings/v1/greetingsv1connect"
)

// greetingClient returns a client of a service that has started.
func greetingClient(t *testing.T) greetingsv1connect.GreetingServiceClient {
	t.Helper()
	server := httptest.NewServer(testHandler(t))
	t.Cleanup(server.Close)
	return greetingsv1connect.NewGreetingServiceClient(http.DefaultClient, server.URL)
}

func TestGreetByCall(t *testing.T) {
	t.Parallel()
	client := greetingClient(t)
	response, err := client.Greet(t.Context(), &greetingsv1.GreetRequest{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := response.Message, "Hello, Ada!"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	for _, name := range []string{"", "\n", strings.Repeat("a", 101)} {
		_, err := client.Greet(t.Context(), &greetingsv1.GreetRequest{Name: name})
		if got, want := connect.CodeOf(err), connect.CodeInvalidArgument; got != want {
			t.Errorf("name %q: %s, want %s", name, got, want)
		}
	}
}

func TestStreamOfGreetings(t *testing.T) {
	t.Parallel()
	stream, err := greetingClient(t).StreamGreetings(t.Context(), &greetingsv1.StreamGreetingsRequest{Name: "Ada", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	received := 0
	for stream.Receive() {
		received++
		if got, want := stream.Msg().Message, "Hello, Ada!"; got != want {
			t.Errorf("message %q, want %q", got, want)
		}
	}
	if err := stream.Err(); err != nil || received != 2 {
		t.Errorf("%d greetings, then %v, want 2", received, err)
	}
}
