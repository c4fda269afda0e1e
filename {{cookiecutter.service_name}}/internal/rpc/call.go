package rpc

import (
	"context"
	"net/http"
	"strconv"

	"connectrpc.com/connect"
)

// Call is what is known of a request that is a call. The zero value is any other request.
type Call struct {
	isCall, isNoted bool
	code            connect.Code
	status          int
}

// CallKey is the context key of a request's *Call.
type CallKey struct{}

// Begin marks a request as a call.
func Begin(ctx context.Context) {
	if call, found := ctx.Value(CallKey{}).(*Call); found {
		call.isCall = true
	}
}

// IsCall reports whether ctx is the context of a call.
func IsCall(ctx context.Context) bool {
	call, found := ctx.Value(CallKey{}).(*Call)
	return found && call.isCall
}

// Note notes the code of a call, and the HTTP status that counts it.
func Note(ctx context.Context, code connect.Code, status int) {
	if call, found := ctx.Value(CallKey{}).(*Call); found {
		*call = Call{true, true, code, status}
	}
}

// Outcome returns the name of the call's code, or "" if the request is no call, and the HTTP status that counts it. status
// and header are those of the response, and isCut is true if it was not sent to its end. The response knows of failures that
// nothing noted: Connect itself refuses what it cannot read, before the procedure or an interceptor learns of it.
func (c *Call) Outcome(status int, header http.Header, isCut bool) (name string, counted int) {
	if !c.isCall {
		return "", status
	}
	sent, isSent := sentBy(header)
	switch {
	case isCut:
		return nameOf(connect.CodeInternal), StatusOf(connect.CodeInternal)
	case c.isNoted && isSent && c.code != sent: // the response could not be sent
		return nameOf(sent), StatusOf(sent)
	case c.isNoted && (c.code != OK || status == http.StatusOK):
		return nameOf(c.code), c.status
	case isSent:
		return nameOf(sent), ByClient(StatusOf(sent))
	}
	if status == http.StatusOK { // Connect refused a stream, which its body says
		return nameOf(connect.CodeInvalidArgument), StatusOf(connect.CodeInvalidArgument)
	}
	return nameOf(CodeOf(status)), ByClient(status)
}

// ByClient returns the status that counts a call which the client made impossible to read. gRPC's code for that is INTERNAL,
// but it is no failure of this service.
func ByClient(status int) int {
	if status >= http.StatusInternalServerError {
		return http.StatusBadRequest
	}
	return status
}

// sentBy returns the code that a response to gRPC has outside of its body.
func sentBy(header http.Header) (code connect.Code, found bool) {
	for _, name := range []string{http.TrailerPrefix + "Grpc-Status", "Grpc-Status"} {
		if values := header[name]; len(values) == 1 {
			number, err := strconv.ParseUint(values[0], 10, 32)
			return connect.Code(number), err == nil
		}
	}
	return OK, false
}
