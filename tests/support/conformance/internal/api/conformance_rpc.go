package api

import (
	"context"
	"time"

	"connectrpc.com/conformance/internal/gen/proto/go/connectrpc/conformance/v1/conformancev1connect"
	"connectrpc.com/connect"

	"connectrpc.com/conformance/my-service/internal/referenceserver"
)

func init() {
	examples = append(examples, func(_ *Service, r *Router) {
		HandleRPC[conformancev1connect.ConformanceServiceHandler](
			r, conformancev1connect.NewConformanceServiceHandler, referenceserver.Procedures(),
			connect.WithInterceptors(connect.UnaryInterceptorFunc(hideRequestTimeout)))
	})
}

// hideRequestTimeout hides REQUEST_TIMEOUT if the client has no deadline. The procedures tell the suite the deadline of
// their context, and it must be the client's.
func hideRequestTimeout(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		header := request.Header()
		if header.Get("Connect-Timeout-Ms") == "" && header.Get("Grpc-Timeout") == "" {
			ctx = withoutDeadline{ctx}
		}
		return next(ctx, request)
	}
}

type withoutDeadline struct{ context.Context }

func (withoutDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }
