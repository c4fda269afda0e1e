package api

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/httpserver"
	"{{ cookiecutter.module_path }}/internal/middleware"
	"{{ cookiecutter.module_path }}/internal/problem"
	"{{ cookiecutter.module_path }}/internal/rpc"
)

// HandleRPC adds the procedures of a service, which is defined in proto/. T is its interface and newHandler its function, as
// they were generated. Calls pass the router's middlewares, then the interceptors of the options. It panics if there is a
// route of this path already.
func HandleRPC[T any](
	r *Router, newHandler func(T, ...connect.HandlerOption) (string, http.Handler), service T,
	options ...connect.HandlerOption,
) {
	largest := max(1, r.cfg.MaxBodyBytes) // 0 would be no limit
	path, handler := newHandler(service, append([]connect.HandlerOption{
		connect.WithInterceptors(callErrors{}), connect.WithReadMaxBytes(largest), rpc.LimitGzip(largest),
	}, options...)...)
	name := strings.Trim(path, "/")
	*r.calls = append(*r.calls, name)
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		panic(err) // the generated code registers it
	}
	methods := found.(protoreflect.ServiceDescriptor).Methods()
	for i := range methods.Len() {
		r.handleProcedure(path+string(methods.Get(i).Name()), methods.Get(i), handler)
	}
}

// messagePrefix is the size of what precedes a message: https://grpc.github.io/grpc/core/md_doc__p_r_o_t_o_c_o_l-_h_t_t_p2.html.
const messagePrefix = 5 // bytes

// handleProcedure adds a route whose pattern is the procedure. MAX_BODY_BYTES is for each message of a stream.
func (r *Router) handleProcedure(procedure string, method protoreflect.MethodDescriptor, handler http.Handler) {
	route := middleware.Route{Pattern: procedure, MaxBody: int64(r.cfg.MaxBodyBytes) + messagePrefix}
	if method.IsStreamingClient() || method.IsStreamingServer() {
		route.Stream, route.MaxBody = true, math.MaxInt64
		handler = rpc.LimitStream(r.cfg.IdleTimeout, handler)
	}
	limited := asCall(r.limits.Apply(route, middleware.Chain(problem.FinishBodies(handler), r.middlewares...)))
	r.mux.Handle("POST "+procedure, limited)
	if isSafe(method) {
		r.mux.Handle("GET "+procedure, limited) // as Connect calls it, so that the response can be cached
	}
}

// isSafe reports whether a procedure has the idempotency level NO_SIDE_EFFECTS.
func isSafe(method protoreflect.MethodDescriptor) bool {
	options, isSet := method.Options().(*descriptorpb.MethodOptions)
	return isSet && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// asCall marks a request as a call, for the log, the metrics and the errors.
func asCall(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rpc.Begin(r.Context())
		next.ServeHTTP(w, r)
	})
}

// callErrors makes the errors of procedures those of calls. It is the outermost interceptor.
type callErrors struct{}

// WrapUnary implements [connect.Interceptor].
func (callErrors) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		response, err := next(ctx, request)
		if err != nil {
			return nil, callError(ctx, err, false)
		}
		rpc.Note(ctx, rpc.OK, http.StatusOK)
		return response, nil
	}
}

// WrapStreamingHandler implements [connect.Interceptor]. A stream that the service ends was served until then.
func (callErrors) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		messages := rpc.NewMessages(ctx, conn)
		err := next(ctx, messages)
		cause := context.Cause(ctx)
		switch {
		case err == nil:
			rpc.Note(ctx, rpc.OK, http.StatusOK)
			return nil
		case (errors.Is(cause, httpserver.ErrStopping) || errors.Is(cause, rpc.ErrIdle)) && messages.IsEnd(ctx, err):
			rpc.Note(ctx, connect.CodeUnavailable, http.StatusOK)
			return problem.CallError(connect.CodeUnavailable, "The stream was ended, because "+cause.Error()+". Call again.")
		}
		return callError(ctx, err, messages.AreUnreadable(err))
	}
}

// WrapStreamingClient implements [connect.Interceptor].
func (callErrors) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// callError returns the error that the client of a call gets, and notes it. A [connect.Error] of the procedure is sent as it
// is, unless it is a response to a call of its own. All others become what they are for JSON.
func callError(ctx context.Context, err error, byClient bool) error {
	if own, isOwn := ownError(err); isOwn {
		status := rpc.StatusOf(own.Code())
		if byClient {
			status = rpc.ByClient(status)
		}
		rpc.Note(ctx, own.Code(), status)
		if status >= http.StatusInternalServerError {
			middleware.LogFailure(ctx, err)
		}
		return err
	}
	a := answerToError(ctx, err)
	code := rpc.CodeOf(a.status)
	status := rpc.StatusOf(code)
	if a.limit == "REQUEST_TIMEOUT" && !middleware.TimedOut(ctx) { // it was the client's own deadline
		a.limit, a.isFailure = "", false
		status = statusClientGone // it waited as long as it wanted to
	}
	if a.isFailure {
		middleware.LogFailure(ctx, err)
	}
	middleware.NoteRefusal(ctx, a.limit)
	rpc.Note(ctx, code, status)
	return problem.CallError(code, a.detail, a.fields...)
}

// ownError returns the [connect.Error] that a procedure made. One of a call to another service is not for this client, nor is one
// inside of an error that stands for a response.
func ownError(err error) (*connect.Error, bool) {
	own, isOwn := errors.AsType[*connect.Error](err)
	_, isOfNetwork := errors.AsType[net.Error](err)
	_, isProblem := errors.AsType[Problem](err)
	for _, other := range []error{ErrUnavailable, ErrNotFound, ErrConflict, context.Canceled, context.DeadlineExceeded} {
		isOwn = isOwn && !errors.Is(err, other)
	}
	return own, isOwn && !connect.IsWireError(err) && !isOfNetwork && !isProblem
}

// limitsOfProbes are not those of the routes, so that no load on the service refuses a probe.
func limitsOfProbes(cfg config.Config) *middleware.Limits {
	cfg.MaxInFlight = math.MaxInt
	return middleware.NewLimits(cfg)
}

// handleHealth adds gRPC's probes to a mux.
func handleHealth(mux *http.ServeMux, probes *health.GRPC, limits *middleware.Limits) {
	const longestName = 4096 // bytes
	path, handler := grpchealth.NewHandler(probes,
		connect.WithInterceptors(callErrors{}, endlessWatch{}), connect.WithReadMaxBytes(longestName),
		connect.WithCompressMinBytes(longestName))
	for _, route := range []middleware.Route{
		{Pattern: path + "Check", Timeout: time.Second},
		{Pattern: path + "Watch", Stream: true},
	} {
		route.MaxBody = longestName + messagePrefix
		mux.Handle("POST "+route.Pattern, asCall(limits.Apply(route, problem.FinishBodies(handler))))
	}
}

// endlessWatch makes the end of a Watch an error. It is one, since only a stop or the client ends it.
type endlessWatch struct{ callErrors }

// WrapUnary implements [connect.Interceptor].
func (endlessWatch) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

// WrapStreamingHandler implements [connect.Interceptor].
func (endlessWatch) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		if err := next(ctx, conn); err != nil {
			return err
		}
		return ctx.Err()
	}
}

// Services returns the names of the services with procedures. Until Open, there are none.
func (h *Handler) Services() []string {
	if services := h.services.Load(); services != nil {
		return *services
	}
	return nil
}
