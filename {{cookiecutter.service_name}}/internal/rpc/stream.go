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
	limit    time.Duration
	timer    *time.Timer
	received error // why the last message could not be read
}

// LimitStream ends a stream of next that has no message for limit, and wakes a handler that waits for a message when the
// context is done. The handler reads and sends by the connection that Messages returns.
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

// messages is the connection of a stream. Each message that is received or sent begins its time anew.
type messages struct {
	connect.StreamingHandlerConn
	*stream
}

// Messages returns conn, with the limit of the call's LimitStream.
func Messages(ctx context.Context, conn connect.StreamingHandlerConn) connect.StreamingHandlerConn {
	if s, found := ctx.Value(streamKey{}).(*stream); found {
		return messages{conn, s}
	}
	return conn
}

func (m messages) Receive(message any) error {
	m.received = m.StreamingHandlerConn.Receive(message)
	m.timer.Reset(m.limit)
	return m.received
}

func (m messages) Send(message any) error {
	err := m.StreamingHandlerConn.Send(message)
	m.timer.Reset(m.limit)
	return err
}

// IsUnreadable reports whether err says that a message of the client could not be read.
func IsUnreadable(ctx context.Context, err error) bool {
	s, found := ctx.Value(streamKey{}).(*stream)
	return found && s.received != nil && errors.Is(err, s.received)
}

// IsStream reports whether ctx is the context of a stream.
func IsStream(ctx context.Context) bool {
	_, found := ctx.Value(streamKey{}).(*stream)
	return found
}
