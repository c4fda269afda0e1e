package rpc

import (
	"context"
	"net/http"
	"testing"

	"connectrpc.com/connect"
)

func TestOutcomeOfACall(t *testing.T) {
	t.Parallel()
	const unnoted = connect.Code(99)
	tests := []struct {
		name    string
		noted   connect.Code
		status  int
		header  http.Header
		isCut   bool
		code    string
		counted int
	}{
		{name: "gRPC", noted: OK, status: 200, header: http.Header{"Trailer:Grpc-Status": {"0"}}, code: "OK", counted: 200},
		{name: "error of a procedure", noted: connect.CodeNotFound, status: 200, code: "NOT_FOUND", counted: 404},
		{
			name: "response that cannot be sent", noted: OK, status: 200,
			header: http.Header{"Trailer:Grpc-Status": {"13"}}, code: "INTERNAL", counted: 500,
		},
		{
			name: "request that gRPC cannot read", noted: unnoted, status: 200,
			header: http.Header{"Grpc-Status": {"13"}}, code: "INTERNAL", counted: 400,
		},
		{name: "request that Connect cannot read", noted: unnoted, status: 400, code: "INVALID_ARGUMENT", counted: 400},
		{name: "another Content-Type", noted: unnoted, status: 415, code: "UNKNOWN", counted: 415},
		{name: "code that Connect's status does not tell", noted: connect.CodeOutOfRange, status: 400, code: "OUT_OF_RANGE", counted: 400},
		{name: "half a response", noted: OK, status: 200, isCut: true, code: "INTERNAL", counted: 500},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var call Call
			ctx := context.WithValue(t.Context(), CallKey{}, &call)
			Begin(ctx)
			if test.noted != unnoted {
				Note(ctx, test.noted, StatusOf(test.noted))
			}
			code, counted := call.Outcome(test.status, test.header, test.isCut)
			if code != test.code || counted != test.counted {
				t.Errorf("%s counted as %d, want %s as %d", code, counted, test.code, test.counted)
			}
		})
	}
}

func TestOtherRequestsHaveNoCode(t *testing.T) {
	t.Parallel()
	if code, status := new(Call).Outcome(404, nil, false); code != "" || status != 404 {
		t.Errorf("code %q, status %d, want none and 404", code, status)
	}
}

func TestCodesOfStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]connect.Code{
		200: OK, 400: connect.CodeInvalidArgument, 404: connect.CodeNotFound, 409: connect.CodeAborted,
		422: connect.CodeInvalidArgument, 413: connect.CodeResourceExhausted, 418: connect.CodeUnknown,
		499: connect.CodeCanceled, 500: connect.CodeInternal, 503: connect.CodeUnavailable, 504: connect.CodeDeadlineExceeded,
	} {
		if got := CodeOf(status); got != want {
			t.Errorf("CodeOf(%d) = %s, want %s", status, got, want)
		}
	}
}
