package api

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"connectrpc.com/connect"

	greetingsv1 "{{ cookiecutter.module_path }}/internal/gen/greetings/v1"
	"{{ cookiecutter.module_path }}/internal/gen/greetings/v1/greetingsv1connect"
)

// This file is the example of procedures. To delete it: docs/rpc.md. Yours are a line in routes.go, like the one of init.

func init() {
	examples = append(examples, func(s *Service, r *Router) {
		HandleRPC[greetingsv1connect.GreetingServiceHandler](
			r, greetingsv1connect.NewGreetingServiceHandler, greetingProcedures{s})
	})
}

// greetingProcedures implements GreetingService of proto/greetings/v1/greetings.proto.
type greetingProcedures struct{ *Service }

// Greet answers a call with one greeting.
func (greetingProcedures) Greet(
	_ context.Context, request *greetingsv1.GreetRequest,
) (*greetingsv1.GreetResponse, error) {
	if err := checkGreeted(request.Name); err != nil {
		return nil, err
	}
	return &greetingsv1.GreetResponse{Message: "Hello, " + request.Name + "!"}, nil
}

// StreamGreetings sends a greeting every second. When the service stops, the context is done.
func (greetingProcedures) StreamGreetings(
	ctx context.Context, request *greetingsv1.StreamGreetingsRequest,
	stream *connect.ServerStream[greetingsv1.StreamGreetingsResponse],
) error {
	if err := checkGreeted(request.Name); err != nil {
		return err
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for sent := uint32(1); ; sent++ {
		message := &greetingsv1.StreamGreetingsResponse{Message: "Hello, " + request.Name + "!"}
		if err := stream.Send(message); err != nil || sent == request.Count {
			return err
		}
		select {
		case <-second.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func checkGreeted(name string) error {
	length := utf8.RuneCountInString(name)
	if length < 1 || length > 100 || strings.ContainsFunc(name, unicode.IsControl) {
		return InvalidError{
			{Pointer: "#/name", Detail: "has to be 1 to 100 characters, none of them a control character"},
		}
	}
	return nil
}
