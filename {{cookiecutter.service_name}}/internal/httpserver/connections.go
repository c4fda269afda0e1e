package httpserver

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
{%- if cookiecutter.rpc != "none" %}
	"time"
{%- endif %}
)

// listener bounds the connections that are open at once, and knows them all. http.Server does not tell which ones have
// a request in flight: its Shutdown waits for clients that never sent one (https://go.dev/issue/22682), and forgets
// those that a handler took over.
type listener struct {
	net.Listener
	slots  chan struct{} // has an element for each open connection
	closed chan struct{}
	once   sync.Once
	open   sync.Map // the key is a *conn
{%- if cookiecutter.rpc != "none" %}

	writeTimeout time.Duration // of each write to HTTP/2
{%- endif %}
}

func newListener(inner net.Listener, maxConnections int) *listener {
	return &listener{Listener: inner, slots: make(chan struct{}, maxConnections), closed: make(chan struct{})}
}

// Accept waits until there is room for another connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	inner, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	c := &conn{Conn: inner, listener: l}
	l.open.Store(c, nil)
	return c, nil
}

// Close stops Accept. Open connections stay.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// list returns the open connections that are busy, or those that are not, and the number of their requests.
func (l *listener) list(busy bool) (conns []*conn, requests int) {
	for key := range l.open.Range {
		if c := key.(*conn); (c.requests.Load() > 0) == busy {
			conns = append(conns, c)
			requests += int(c.requests.Load())
		}
	}
	return conns, requests
}

// conn is a connection that counts its requests in flight. One that a handler took over (http.Hijacker) counts as one
// request until it is closed.
type conn struct {
	net.Conn
	listener *listener
	requests atomic.Int32
	isHTTP1  atomic.Bool
	isHTTP2  atomic.Bool
	isClosed atomic.Bool
	once     sync.Once
}

// connKey is the context key of a request's *conn.
type connKey struct{}

// withConn is the ConnContext of http.Server.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// changed is the ConnState of http.Server. An HTTP/1 request is in flight until its response is sent, which is later
// than the return of the handler. Then the connection becomes idle or closed, or active with the next request. HTTP/2 is
// idle already before its first request.
func changed(netConn net.Conn, state http.ConnState) {
	c := netConn.(*conn)
	if state == http.StateIdle && !c.isHTTP1.Load() {
		c.isHTTP2.Store(true)
	}
	if (state == http.StateActive || state == http.StateIdle) && !c.isHTTP2.Load() {
		c.requests.Store(0)
	}
}

// countRequests counts the requests in flight of each connection.
func countRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(connKey{}).(*conn)
		if r.ProtoMajor == 1 {
			c.isHTTP1.Store(true)
			c.requests.Store(1)
		} else {
			c.requests.Add(1)
			defer c.endRequest()
		}
		next.ServeHTTP(w, r)
	})
}

// endRequest counts the end of an HTTP/2 request. Its handler may work on when the client has left.
func (c *conn) endRequest() {
	if c.requests.Add(-1) == 0 && c.isClosed.Load() {
		c.listener.open.Delete(c)
	}
}

// Close closes the connection and gives its place to another.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.isClosed.Store(true)
		if !c.isHTTP2.Load() || c.requests.Load() == 0 {
			c.listener.open.Delete(c)
		}
		<-c.listener.slots
	})
	return c.Conn.Close()
}

// ReadFrom hands a file to the kernel (sendfile).
func (c *conn) ReadFrom(source io.Reader) (int64, error) { return io.Copy(c.Conn, source) }

// CloseWrite is used by http.Server, to let a client read a last response.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
