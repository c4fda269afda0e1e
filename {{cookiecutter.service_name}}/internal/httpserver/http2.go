package httpserver

import (
	"net/http"
	"time"
)

const (
	streamsOfConnection = 100
	// frameBuffer is kept as long as a connection is open. It is the least that HTTP/2 allows.
	frameBuffer = 16 << 10 // bytes
	// deafGrace is how long a write may still take at half of SHUTDOWN_TIMEOUT.
	deafGrace = time.Second
)

// speakHTTP2 lets clients speak HTTP/2 too, without TLS, which is the platform's.
func (s *Server) speakHTTP2() {
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetUnencryptedHTTP2(true)
	s.http.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: streamsOfConnection,
		MaxReadFrameSize:     frameBuffer,
	}
	s.listener.writeTimeout = s.cfg.WriteTimeout
}

// Write gives an HTTP/2 client WRITE_TIMEOUT to take it. http.Server resets streams then, but a reset waits for the same client.
func (c *conn) Write(p []byte) (int, error) {
	if timeout := c.listener.writeTimeout; timeout > 0 && c.isHTTP2.Load() {
		_ = c.SetWriteDeadline(time.Now().Add(timeout))
	}
	return c.Conn.Write(p)
}

// cutDeaf closes the HTTP/2 connections whose clients read nothing. The deadlines of their streams only queue a reset, which
// waits for the same client.
func (s *Server) cutDeaf() {
	busy, _ := s.listener.list(true)
	for _, c := range busy {
		if c.isHTTP2.Load() {
			_ = c.SetWriteDeadline(time.Now().Add(deafGrace))
		}
	}
}
