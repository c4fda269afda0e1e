package httpserver

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// connections records which open connections are busy, that is, have a request in flight. http.Server does not tell:
// its Shutdown waits for clients that never sent a request. See https://go.dev/issue/22682.
type connections struct {
	open sync.Map // key: net.Conn, value: *atomic.Bool, true if busy
}

// busyKey is the context key of a connection's busy flag.
type busyKey struct{}

// opened is the ConnContext of http.Server, which calls it for each new connection.
func (c *connections) opened(ctx context.Context, conn net.Conn) context.Context {
	busy := new(atomic.Bool)
	c.open.Store(conn, busy)
	return context.WithValue(ctx, busyKey{}, busy)
}

// changed is the ConnState of http.Server. A connection stays busy until its response is sent, which is later than the
// return of the handler. Then the connection becomes idle or closed, or active with the next request.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateActive, http.StateIdle:
		if busy, ok := c.open.Load(conn); ok {
			busy.(*atomic.Bool).Store(false)
		}
	case http.StateClosed, http.StateHijacked:
		c.open.Delete(conn)
	}
}

// watch marks the connection of each request as busy.
func (c *connections) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Value(busyKey{}).(*atomic.Bool).Store(true)
		next.ServeHTTP(w, r)
	})
}

// list returns the open connections that are busy, or those that are not.
func (c *connections) list(wantBusy bool) []net.Conn {
	var conns []net.Conn
	for conn, busy := range c.open.Range {
		if busy.(*atomic.Bool).Load() == wantBusy {
			conns = append(conns, conn.(net.Conn))
		}
	}
	return conns
}
