// Package referenceserver has the procedures that the suite calls. The other files of it are the suite's own.
package referenceserver

import "connectrpc.com/conformance/internal/gen/proto/go/connectrpc/conformance/v1/conformancev1connect"

// Procedures returns them.
func Procedures() conformancev1connect.ConformanceServiceHandler { return &conformanceServer{} }
