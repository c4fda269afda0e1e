package problem

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"{{ cookiecutter.module_path }}/internal/rpc"
)

// retryAfter is what a client of a call reads in place of the header Retry-After.
const retryAfter = time.Second

// calls writes errors to clients of gRPC, gRPC-Web and Connect. Where there is no procedure, a request without the header of
// Connect's protocol is HTTP.
var calls = connect.NewErrorWriter(connect.WithRequireConnectProtocolHeader())

// CallError returns the error of a call that stands for a problem. Bad fields and the time to come back are its details:
// see https://google.aip.dev/193.
func CallError(code connect.Code, detail string, fields ...Field) *connect.Error {
	err := connect.NewError(code, errors.New(detail))
	if len(fields) > 0 {
		bad := new(errdetails.BadRequest)
		for _, field := range fields {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: field.name(), Description: field.Detail,
			})
		}
		addDetail(err, bad)
	}
	if code == connect.CodeUnavailable {
		addDetail(err, &errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	}
	return err
}

func addDetail(err *connect.Error, message proto.Message) {
	if detail, broken := connect.NewErrorDetail(message); broken == nil {
		err.AddDetail(detail)
	}
}

// name returns the path of a field as google.rpc.BadRequest has it: "address.street".
func (f Field) name() string {
	if f.Pointer == "" {
		return f.Parameter
	}
	return strings.ReplaceAll(strings.TrimPrefix(f.Pointer, "#/"), "/", ".")
}

// refuseCall responds to a call in its own protocol. It returns false if r is no call.
func refuseCall(w http.ResponseWriter, r *http.Request, status int, detail string, fields []Field) bool {
	if !rpc.IsCall(r.Context()) && !calls.IsSupported(r) {
		return false
	}
	code := rpc.CodeOf(status)
	counted := rpc.StatusOf(code)
	if status < http.StatusInternalServerError && counted >= http.StatusInternalServerError { // the code is UNKNOWN
		counted = status
	}
	if r.Pattern == "/" && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) { // no route
		code, counted = connect.CodeUnimplemented, status
		w = unmatched{w, status}
	}
	rpc.Note(r.Context(), code, counted)
	_ = calls.Write(w, r, CallError(code, detail, fields...))
	return true
}

// unmatched responds to a call that has no procedure. A client of Connect gets HTTP's status for that: a proxy would count
// 501 as a failure of this service.
type unmatched struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w unmatched) WriteHeader(status int) {
	if status == http.StatusNotImplemented {
		status = w.status
	}
	w.ResponseWriter.WriteHeader(status)
}
