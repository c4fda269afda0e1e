// Package rpc has what calls (gRPC, gRPC-Web and Connect) need beside what all requests have: their codes, their outcome
// and an end for streams that nobody uses. docs/rpc.md says how to add a procedure.
package rpc

import (
	"net/http"

	"connectrpc.com/connect"
)

// statusClientGone is what nginx logs for a client that did not wait for the response.
const statusClientGone = 499

// OK is the code of a call without an error.
const OK connect.Code = 0

// codes has the name of each code in gRPC's words, and the HTTP status that counts it: the one that a Connect client gets.
// See https://grpc.io/docs/guides/status-codes/ and https://connectrpc.com/docs/protocol/#error-codes.
var codes = [...]struct {
	name   string
	status int
}{
	OK:                             {"OK", http.StatusOK},
	connect.CodeCanceled:           {"CANCELLED", statusClientGone},
	connect.CodeUnknown:            {"UNKNOWN", http.StatusInternalServerError},
	connect.CodeInvalidArgument:    {"INVALID_ARGUMENT", http.StatusBadRequest},
	connect.CodeDeadlineExceeded:   {"DEADLINE_EXCEEDED", http.StatusGatewayTimeout},
	connect.CodeNotFound:           {"NOT_FOUND", http.StatusNotFound},
	connect.CodeAlreadyExists:      {"ALREADY_EXISTS", http.StatusConflict},
	connect.CodePermissionDenied:   {"PERMISSION_DENIED", http.StatusForbidden},
	connect.CodeResourceExhausted:  {"RESOURCE_EXHAUSTED", http.StatusTooManyRequests},
	connect.CodeFailedPrecondition: {"FAILED_PRECONDITION", http.StatusBadRequest},
	connect.CodeAborted:            {"ABORTED", http.StatusConflict},
	connect.CodeOutOfRange:         {"OUT_OF_RANGE", http.StatusBadRequest},
	connect.CodeUnimplemented:      {"UNIMPLEMENTED", http.StatusNotImplemented},
	connect.CodeInternal:           {"INTERNAL", http.StatusInternalServerError},
	connect.CodeUnavailable:        {"UNAVAILABLE", http.StatusServiceUnavailable},
	connect.CodeDataLoss:           {"DATA_LOSS", http.StatusInternalServerError},
	connect.CodeUnauthenticated:    {"UNAUTHENTICATED", http.StatusUnauthorized},
}

// StatusOf returns the HTTP status that counts a code.
func StatusOf(code connect.Code) int {
	if int(code) < len(codes) {
		return codes[code].status
	}
	return http.StatusInternalServerError
}

func nameOf(code connect.Code) string {
	if int(code) < len(codes) {
		return codes[code].name
	}
	return codes[connect.CodeUnknown].name
}

// CodeOf returns the code of a call that a problem with this HTTP status ends.
func CodeOf(status int) connect.Code {
	switch status {
	case http.StatusOK:
		return OK
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return connect.CodeInvalidArgument
	case http.StatusUnauthorized:
		return connect.CodeUnauthenticated
	case http.StatusForbidden:
		return connect.CodePermissionDenied
	case http.StatusNotFound:
		return connect.CodeNotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return connect.CodeUnimplemented
	case http.StatusConflict:
		return connect.CodeAborted
	case http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return connect.CodeFailedPrecondition
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return connect.CodeResourceExhausted
	case statusClientGone:
		return connect.CodeCanceled
	case http.StatusServiceUnavailable:
		return connect.CodeUnavailable
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return connect.CodeDeadlineExceeded
	case http.StatusInternalServerError:
		return connect.CodeInternal
	}
	return connect.CodeUnknown
}
