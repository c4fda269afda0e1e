package rpc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"{{ cookiecutter.module_path }}/internal/httpserver"
)

// ErrIdle is the cause of the cancelled context of a stream without a message for IDLE_TIMEOUT.
var ErrIdle = errors.New("the stream was idle for IDLE_TIMEOUT")

// lastWords is how long a client may take to receive the end of a stream that was idle.
const lastWords = time.Second

// streamKey is the context key of a call's *stream.
type streamKey struct{}

// stream ends a stream that nobody uses.
type stream struct {
	limit time.Duration
	timer *time.Timer
}

// LimitStream ends a stream of next that has no message for limit, and wakes a handler that waits for a message when the
// context is done. The handler reads and sends by the connection that NewMessages returns.
func LimitStream(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		defer httpserver.WhenDone(ctx, func() {
			_ = control.SetReadDeadline(time.Now())
			if errors.Is(context.Cause(ctx), ErrIdle) {
				_ = control.SetWriteDeadline(time.Now().Add(lastWords))
			}
		})()
		s := &stream{limit: limit, timer: time.AfterFunc(limit, func() { cancel(ErrIdle) })}
		defer s.timer.Stop()
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, streamKey{}, s)))
	})
}

// Messages is the connection of a stream. Each message that is received or sent begins the time of LimitStream anew.
type Messages struct {
	connect.StreamingHandlerConn
	stream   *stream // nil without LimitStream
	receives int
	received error // of the last one
	sent     error // of the last one
}

// NewMessages returns conn, with the limit of the call's LimitStream.
func NewMessages(ctx context.Context, conn connect.StreamingHandlerConn) *Messages {
	s, _ := ctx.Value(streamKey{}).(*stream)
	return &Messages{StreamingHandlerConn: conn, stream: s}
}

// Receive implements [connect.StreamingHandlerConn].
func (m *Messages) Receive(message any) error {
	m.receives++
	m.received = m.StreamingHandlerConn.Receive(message)
	m.stream.prolong()
	return m.received
}

// Send implements [connect.StreamingHandlerConn].
func (m *Messages) Send(message any) error {
	m.sent = m.StreamingHandlerConn.Send(message)
	m.stream.prolong()
	return m.sent
}

// IsEnd reports whether err only says that ctx is done, or that no message can be received or sent any more.
func (m *Messages) IsEnd(ctx context.Context, err error) bool {
	for _, end := range []error{ctx.Err(), m.received, m.sent} {
		if end != nil && errors.Is(err, end) {
			return true
		}
	}
	return false
}

func (s *stream) prolong() {
	if s != nil {
		s.timer.Reset(s.limit)
	}
}

// AreUnreadable reports whether err says that the client sent what is no message; or none, or several, to a procedure that takes
// one. Before such a procedure begins, Connect receives twice, and finds nothing the second time.
func (m *Messages) AreUnreadable(err error) bool {
	takesOne := m.Spec().StreamType == connect.StreamTypeServer
	hasOne := m.receives == 0 || m.receives > 1 && m.received != nil
	return takesOne && !hasOne || m.received != nil && errors.Is(err, m.received)
}
