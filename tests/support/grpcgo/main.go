// A client by grpc-go, in the module of a service with the example's procedures. It reads calls from stdin, each a line
// of JSON, and writes to stdout what it gets: a line for each message, and a last one with the code.
//
// "grpcgo descriptors" writes what clients without generated code need to know of the messages.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // by which a connection checks health
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	greetingsv1 "github.com/acme/my-service/internal/gen/greetings/v1"
)

// call is what a line of stdin asks for.
type call struct {
	Address, Method, Name string
	Count                 uint32
	Seconds               float64 // until the deadline
}

// end is the last line that is written for a call.
type end struct {
	Code       uint32                                  `json:"code"`
	Detail     string                                  `json:"detail"`
	Violations []*errdetails.BadRequest_FieldViolation `json:"violations"`
}

func main() {
	carryOut := callAll
	if slices.Equal(os.Args[1:], []string{"descriptors"}) {
		carryOut = writeDescriptors
	}
	if err := carryOut(); err != nil {
		log.Fatal(err)
	}
}

func callAll() error {
	calls, written := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var c call
		if err := calls.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		err := c.carryOut(func(message string) { _ = written.Encode(map[string]string{"message": message}) })
		if err := written.Encode(endOf(err)); err != nil {
			return err
		}
	}
}

func endOf(err error) end {
	failure := status.Convert(err)
	e := end{Code: uint32(failure.Code()), Detail: failure.Message()}
	for _, detail := range failure.Details() {
		if bad, isBad := detail.(*errdetails.BadRequest); isBad {
			e.Violations = bad.FieldViolations
		}
	}
	return e
}

func (c call) carryOut(tell func(message string)) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.Seconds*float64(time.Second)))
	defer cancel()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if c.Method == "States" {
		options = append(options, grpc.WithDefaultServiceConfig(fmt.Sprintf(
			`{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": %q}}`, c.Name)))
	}
	connection, err := grpc.NewClient(c.Address, options...)
	if err != nil {
		return err
	}
	defer connection.Close()
	health := grpc_health_v1.NewHealthClient(connection)
	switch c.Method {
	case "Check":
		response, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: c.Name})
		if err == nil {
			tell(response.Status.String())
		}
		return err
	case "Watch":
		stream, err := health.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: c.Name})
		return receive(stream, err, func(response *grpc_health_v1.HealthCheckResponse) { tell(response.Status.String()) })
	case "States":
		return tellStates(ctx, connection, tell)
	case "StreamGreetings":
		stream, err := c.openStream(ctx, connection)
		return receive(stream, err, func(response *greetingsv1.StreamGreetingsResponse) { tell(response.Message) })
	}
	var response greetingsv1.GreetResponse
	err = connection.Invoke(ctx, c.procedure(), &greetingsv1.GreetRequest{Name: c.Name}, &response)
	if err == nil {
		tell(response.Message)
	}
	return err
}

func (c call) procedure() string { return "/greetings.v1.GreetingService/" + c.Method }

// openStream is what protoc-gen-go-grpc would write.
func (c call) openStream(
	ctx context.Context, connection *grpc.ClientConn,
) (grpc.ServerStreamingClient[greetingsv1.StreamGreetingsResponse], error) {
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, c.procedure())
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(&greetingsv1.StreamGreetingsRequest{Name: c.Name, Count: c.Count}); err != nil {
		return nil, err
	}
	return &grpc.GenericClientStream[greetingsv1.StreamGreetingsRequest, greetingsv1.StreamGreetingsResponse]{
		ClientStream: stream,
	}, stream.CloseSend()
}

// receive hands on each message of a stream, if it could be opened.
func receive[Response any](stream grpc.ServerStreamingClient[Response], err error, handOn func(*Response)) error {
	for err == nil {
		var response *Response
		if response, err = stream.Recv(); err == nil {
			handOn(response)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// tellStates tells two states of the connection, not those on the way to them.
func tellStates(ctx context.Context, connection *grpc.ClientConn, tell func(message string)) error {
	connection.Connect()
	for told := 0; told < 2; {
		state := connection.GetState()
		if state == connectivity.Ready || state == connectivity.TransientFailure {
			tell(state.String())
			told++
		}
		if told < 2 && !connection.WaitForStateChange(ctx, state) {
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	return nil
}

// writeDescriptors writes those of the example's service, with a method that it does not have, and those of errors.
func writeDescriptors() error {
	var set descriptorpb.FileDescriptorSet
	for _, file := range []protoreflect.FileDescriptor{
		errdetails.File_google_rpc_error_details_proto, rpcstatus.File_google_rpc_status_proto,
		greetingsv1.File_greetings_v1_greetings_proto,
	} {
		add(&set, file)
	}
	service := set.File[len(set.File)-1].Service[0]
	unknown := proto.CloneOf(service.Method[0])
	unknown.Name = new("Unknown")
	service.Method = append(service.Method, unknown)
	bytes, err := proto.Marshal(&set)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(bytes)
	return err
}

// add adds a file to a set, after those that it imports.
func add(set *descriptorpb.FileDescriptorSet, file protoreflect.FileDescriptor) {
	isFile := func(known *descriptorpb.FileDescriptorProto) bool { return known.GetName() == file.Path() }
	if slices.ContainsFunc(set.File, isFile) {
		return
	}
	for i := range file.Imports().Len() {
		add(set, file.Imports().Get(i).FileDescriptor)
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
}
