package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"{{ cookiecutter.module_path }}/internal/middleware"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// procedures is a service of the tests. Its messages are texts.
type procedures struct {
	call   func(ctx context.Context, text string) error
	stream func(ctx context.Context, stream *connect.BidiStream[wrapperspb.StringValue, wrapperspb.StringValue]) error
}

const (
	callProcedure   = "/test.v1.TestService/Call"
	streamProcedure = "/test.v1.TestService/Stream"
)

// init registers the service, as generated code does.
func init() {
	text := new(".google.protobuf.StringValue")
	method := func(name string, isStream bool) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{
			Name: &name, InputType: text, OutputType: text, ClientStreaming: &isStream, ServerStreaming: &isStream,
		}
	}
	safe := method("Call", false)
	safe.Options = &descriptorpb.MethodOptions{IdempotencyLevel: descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("test/v1/test.proto"), Package: new("test.v1"), Syntax: new("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{
			{Name: new("TestService"), Method: []*descriptorpb.MethodDescriptorProto{safe, method("Stream", true)}},
		},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		panic(err)
	}
}

// newProcedures is what a generator writes for procedures.
func newProcedures(p procedures, options ...connect.HandlerOption) (string, http.Handler) {
	mux := http.NewServeMux()
	mux.Handle(callProcedure, connect.NewUnaryHandlerSimple(callProcedure,
		func(ctx context.Context, text *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
			return text, p.call(ctx, text.Value)
		}, append(options, connect.WithIdempotency(connect.IdempotencyNoSideEffects))...))
	mux.Handle(streamProcedure, connect.NewBidiStreamHandler(streamProcedure, p.stream, options...))
	return "/test.v1.TestService/", mux
}

// outcomes is an observer that hands on what became of each request.
type outcomes chan middleware.Outcome

func (o outcomes) Begin(ctx context.Context, _ *http.Request) context.Context { return ctx }
func (o outcomes) End(_ *http.Request, outcome middleware.Outcome)            { o <- outcome }

// protocols are those that a procedure can be called by.
var protocols = map[string][]connect.ClientOption{
	"Connect": nil, "Connect by GET": {connect.WithHTTPGet()}, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()},
}

// serveProcedures serves p by HTTP/1 and HTTP/2. What becomes of a call is what outcomes receives.
func serveProcedures(t *testing.T, p procedures, variables ...string) (*httptest.Server, outcomes) {
	t.Helper()
	platform := testPlatform(t, variables...)
	router := newRouter(platform.Config)
	HandleRPC(router, newProcedures, p)
	router.Handle("/", problem.Unmatched(router.mux))
	ended := make(outcomes, 9)
	observed := middleware.Observe(platform.Logger, func() bool { return false }, ended)(router.mux)
	server := httptest.NewUnstartedServer(observed)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, ended
}

func clientOf(server *httptest.Server, procedure string, options ...connect.ClientOption) *connect.Client[wrapperspb.StringValue, wrapperspb.StringValue] {
	return connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](server.Client(), server.URL+procedure, options...)
}

func TestErrorsOfProceduresStandForCodes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err     error
		code    connect.Code
		name    string
		status  int
		message string
	}{
		"none":          {nil, 0, "OK", 200, ""},
		"not found":     {fmt.Errorf("link %q: %w", "x", ErrNotFound), connect.CodeNotFound, "NOT_FOUND", 404, "There is nothing at this path."},
		"conflict":      {ErrConflict, connect.CodeAborted, "ABORTED", 409, "The request contradicts the present state."},
		"unavailable":   {ErrUnavailable, connect.CodeUnavailable, "UNAVAILABLE", 503, "A part that the service depends on is unavailable. Try again."},
		"invalid":       {InvalidError{}, connect.CodeInvalidArgument, "INVALID_ARGUMENT", 400, "The request has values out of range."},
		"anything else": {errors.New("secret"), connect.CodeInternal, "INTERNAL", 500, "The service failed. Its log has the request's id."},
		"a dependency's": {
			fmt.Errorf("stock: %w: %w", ErrUnavailable, connect.NewError(connect.CodeNotFound, errors.New("secret"))),
			connect.CodeUnavailable, "UNAVAILABLE", 503, "A part that the service depends on is unavailable. Try again.",
		},
		"the network's": {
			connect.NewError(connect.CodeUnavailable, &net.OpError{Op: "dial", Err: errors.New("secret")}),
			connect.CodeInternal, "INTERNAL", 500, "The service failed. Its log has the request's id.",
		},
		"its own": {connect.NewError(connect.CodeOutOfRange, errors.New("at the end")), connect.CodeOutOfRange, "OUT_OF_RANGE", 400, "at the end"},
	}
	var next error
	server, ended := serveProcedures(t, procedures{call: func(context.Context, string) error { return next }})
	for protocol, options := range protocols {
		for name, test := range tests {
			next = test.err
			_, err := clientOf(server, callProcedure, options...).CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("x")))
			if failed, ok := errors.AsType[*connect.Error](err); (err != nil) != (next != nil) ||
				ok && (failed.Code() != test.code || failed.Message() != test.message) {
				t.Errorf("%s: %s: error %v, want %s: %s", protocol, name, err, test.code, test.message)
			}
			if got := <-ended; got.Code != test.name || got.Status != test.status || got.Route != callProcedure {
				t.Errorf("%s: %s: outcome %s %s, counted as %d, want %s as %d", protocol, name, got.Route, got.Code, got.Status, test.name, test.status)
			}
		}
	}
}

// detailOf returns the detail of an error that has message's type, or an empty one.
func detailOf[T proto.Message](err error, message T) T {
	if failed, ok := errors.AsType[*connect.Error](err); ok {
		for _, detail := range failed.Details() {
			if value, broken := detail.Value(); broken == nil && detail.Type() == string(message.ProtoReflect().Descriptor().FullName()) {
				return value.(T)
			}
		}
	}
	return message
}

func TestErrorsHaveDetails(t *testing.T) {
	t.Parallel()
	fields := []problem.Field{
		{Pointer: "#/address/street", Detail: "too long"},
	}
	var next error
	server, _ := serveProcedures(t, procedures{call: func(context.Context, string) error { return next }})
	for protocol, options := range protocols {
		call := func(err error) error {
			next = err
			_, err = clientOf(server, callProcedure, options...).CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("x")))
			return err
		}
		bad := detailOf(call(InvalidError(fields)), new(errdetails.BadRequest))
		if len(bad.FieldViolations) != 1 || bad.FieldViolations[0].Field != "address.street" || bad.FieldViolations[0].Description != "too long" {
			t.Errorf("%s: violations %v, want one of address.street", protocol, bad.FieldViolations)
		}
		if wait := detailOf(call(ErrUnavailable), new(errdetails.RetryInfo)); wait.RetryDelay.AsDuration() != time.Second {
			t.Errorf("%s: try again after %s, want 1s", protocol, wait.RetryDelay.AsDuration())
		}
	}
}

func TestCallsThatNoProcedureAnswers(t *testing.T) {
	t.Parallel()
	server, ended := serveProcedures(t, procedures{call: func(_ context.Context, text string) error {
		if text == "panic" {
			panic("bug")
		}
		return nil
	}}, "MAX_BODY_BYTES=1000")
	tests := map[string]struct {
		procedure, text string
		code            connect.Code
		name            string
		status          int
	}{
		"unknown procedure": {"/test.v1.TestService/Other", "x", connect.CodeUnimplemented, "UNIMPLEMENTED", 404},
		"large message":     {callProcedure, strings.Repeat("x", 1001), connect.CodeResourceExhausted, "RESOURCE_EXHAUSTED", 429},
		"panic":             {callProcedure, "panic", connect.CodeInternal, "INTERNAL", 500},
	}
	for protocol, options := range protocols {
		for name, test := range tests {
			options := append(slices.Clone(options), connect.WithSendGzip())
			_, err := clientOf(server, test.procedure, options...).CallUnary(t.Context(), connect.NewRequest(wrapperspb.String(test.text)))
			if got := connect.CodeOf(err); got != test.code {
				t.Errorf("%s: %s: %v, want %s", protocol, name, err, test.code)
			}
			if got := <-ended; got.Code != test.name || got.Status != test.status {
				t.Errorf("%s: %s: outcome %s, counted as %d, want %s as %d", protocol, name, got.Code, got.Status, test.name, test.status)
			}
		}
	}
}

func TestPathsWithoutAProcedure(t *testing.T) {
	t.Parallel()
	server, ended := serveProcedures(t, procedures{})
	for path, status := range map[string]int{"/test.v1.TestService/Other": 404, streamProcedure: 405} {
		response, err := server.Client().Get(server.URL + path + "?connect=v1")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if counted := (<-ended).Status; response.StatusCode != status || counted != status {
			t.Errorf("GET %s: status %d, counted as %d, want %d", path, response.StatusCode, counted, status)
		}
	}
}

func TestJSONIsACallWithoutTheHeaderOfConnectToo(t *testing.T) {
	t.Parallel()
	server, ended := serveProcedures(t, procedures{call: func(context.Context, string) error { panic("bug") }})
	response, err := server.Client().Post(server.URL+callProcedure, "application/json", strings.NewReader(`"x"`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), `"code":"internal"`) {
		t.Errorf("status %d, body %s, want 500 and the code internal", response.StatusCode, body)
	}
	if got := <-ended; got.Code != "INTERNAL" || got.Status != http.StatusInternalServerError {
		t.Errorf("outcome %s, counted as %d, want INTERNAL as 500", got.Code, got.Status)
	}
}

func TestFailureOfAStreamThatEndsIsAFailure(t *testing.T) {
	t.Parallel()
	server, ended := serveProcedures(t, procedures{
		stream: func(ctx context.Context, _ *connect.BidiStream[wrapperspb.StringValue, wrapperspb.StringValue]) error {
			<-ctx.Done()
			return errors.New("could not save")
		},
	}, "IDLE_TIMEOUT=50ms")
	call := clientOf(server, streamProcedure).CallBidiStream(t.Context())
	if err := call.Send(wrapperspb.String("x")); err != nil {
		t.Fatal(err)
	}
	_, err := call.Receive()
	if got, want := connect.CodeOf(err), connect.CodeInternal; got != want {
		t.Errorf("%v, want %s", err, want)
	}
	if got := <-ended; got.Code != "INTERNAL" || got.Status != http.StatusInternalServerError {
		t.Errorf("outcome %s, counted as %d, want INTERNAL as 500", got.Code, got.Status)
	}
}

func TestCallsHaveADeadline(t *testing.T) {
	t.Parallel()
	server, ended := serveProcedures(t, procedures{call: func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}}, "REQUEST_TIMEOUT=50ms")
	for milliseconds, refusal := range map[string]string{"10": "", "60000": "REQUEST_TIMEOUT"} {
		for protocol, options := range protocols {
			request := connect.NewRequest(wrapperspb.String("x"))
			request.Header().Set("Connect-Timeout-Ms", milliseconds)
			request.Header().Set("Grpc-Timeout", milliseconds+"m")
			_, err := clientOf(server, callProcedure, options...).CallUnary(t.Context(), request)
			if got, want := connect.CodeOf(err), connect.CodeDeadlineExceeded; got != want {
				t.Errorf("%s within %s ms: %v, want %s", protocol, milliseconds, err, want)
			}
			if got := <-ended; got.Refusal != refusal {
				t.Errorf("%s within %s ms: refused by %q, want %q", protocol, milliseconds, got.Refusal, refusal)
			}
		}
	}
}

func TestStreamWithoutMessagesEnds(t *testing.T) {
	t.Parallel()
	server, ended := serveProcedures(t, procedures{
		stream: func(_ context.Context, stream *connect.BidiStream[wrapperspb.StringValue, wrapperspb.StringValue]) error {
			for {
				if _, err := stream.Receive(); err != nil {
					return err
				}
			}
		},
	}, "IDLE_TIMEOUT=200ms")
	for _, protocol := range []string{"Connect", "gRPC", "gRPC-Web"} {
		start := time.Now()
		stream := clientOf(server, streamProcedure, protocols[protocol]...).CallBidiStream(t.Context())
		for range 3 {
			if err := stream.Send(wrapperspb.String("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		_, err := stream.Receive()
		if got, want := connect.CodeOf(err), connect.CodeUnavailable; got != want || time.Since(start) < 400*time.Millisecond {
			t.Errorf("%s: %v after %s, want %s, 200 ms after the last message", protocol, err, time.Since(start), want)
		}
		if got := <-ended; got.Code != "UNAVAILABLE" || got.Status != http.StatusOK {
			t.Errorf("%s: outcome %s, counted as %d, want UNAVAILABLE as 200", protocol, got.Code, got.Status)
		}
	}
}
