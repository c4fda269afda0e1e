package httpserver

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// connections knows which open connections have a request in a handler. http.Server does not tell, and so waits
// in its Shutdown for clients that never sent one: https://go.dev/issue/22682.
type connections struct {
	open sync.Map // net.Conn to its busy, an *atomic.Bool
}

// busyKey is where the context of a connection's requests holds its busy.
type busyKey struct{}

// opened is an http.Server's ConnContext.
func (c *connections) opened(ctx context.Context, conn net.Conn) context.Context {
	busy := new(atomic.Bool)
	c.open.Store(conn, busy)
	return context.WithValue(ctx, busyKey{}, busy)
}

// changed is an http.Server's ConnState. An answer is not out before its connection is idle, closed or at the
// next request, so that only these end its being busy, not the return of the handler.
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

// watch marks the connections of the requests that reach next.
func (c *connections) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Value(busyKey{}).(*atomic.Bool).Store(true)
		next.ServeHTTP(w, r)
	})
}

// list returns the open connections that have a request in flight, or those that have none.
func (c *connections) list(inFlight bool) []net.Conn {
	var conns []net.Conn
	for conn, busy := range c.open.Range {
		if busy.(*atomic.Bool).Load() == inFlight {
			conns = append(conns, conn.(net.Conn))
		}
	}
	return conns
}
