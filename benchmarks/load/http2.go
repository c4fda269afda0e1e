package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"time"
)

// The parts of HTTP/2 that calls need: https://www.rfc-editor.org/rfc/rfc9113. Frames are written by hand for the same reason
// as HTTP/1 requests.
const (
	data, headers, resetStream, settings, ping, goAway, windowUpdate = 0, 1, 3, 4, 6, 7, 8

	acknowledged, endStream, endHeaders = 0x1, 0x1, 0x4

	frameHeader   = 9
	initialWindow = 1<<16 - 1
	largestWindow = 1<<31 - 1
	longestFrame  = 1 << 14
	status200     = 0x88 // what a block of headers begins with
)

// call is a request in flight.
type call struct {
	begin                 time.Time
	isOK, hasHeader, body bool
}

// multiplexer is an HTTP/2 connection.
type multiplexer struct {
	load
	reader *bufio.Reader
	writer *bufio.Writer
	calls  map[uint32]*call
	next   uint32 // the number of the next stream
	seen   latencies
}

// sendHTTP2 keeps l.streams requests in flight on one connection until the deadline.
func (l load) sendHTTP2() (latencies, error) {
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	m := multiplexer{l, bufio.NewReaderSize(conn, 1<<16), bufio.NewWriter(conn), map[uint32]*call{}, 1, latencies{}}
	m.writer.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	m.write(settings, 0, 0, nil)
	m.write(windowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, largestWindow-initialWindow))
	for range l.streams {
		m.call()
	}
	for len(m.calls) > 0 {
		if m.reader.Buffered() < frameHeader {
			if err := m.writer.Flush(); err != nil {
				return nil, err
			}
		}
		if err := m.read(); err != nil {
			return nil, err
		}
	}
	return m.seen, nil
}

// call sends a request.
func (m *multiplexer) call() {
	flags, block := byte(endHeaders), m.block
	if m.next == 1 {
		block = m.firstBlock
	}
	if len(m.body) == 0 {
		flags |= endStream
	}
	m.write(headers, flags, m.next, block)
	if len(m.body) > 0 {
		m.write(data, endStream, m.next, m.body)
	}
	m.calls[m.next] = &call{begin: time.Now()}
	m.next += 2
}

// write puts a frame into the buffer. An error shows at the next Flush.
func (m *multiplexer) write(kind, flags byte, stream uint32, payload []byte) {
	size := len(payload)
	m.writer.Write([]byte{byte(size >> 16), byte(size >> 8), byte(size), kind, flags})
	m.writer.Write(binary.BigEndian.AppendUint32(nil, stream))
	m.writer.Write(payload)
}

// read reads a frame. When it ends a response, the next request takes its place.
func (m *multiplexer) read() error {
	start, err := m.reader.Peek(frameHeader)
	if err != nil {
		return err
	}
	size := int(start[0])<<16 | int(start[1])<<8 | int(start[2])
	kind, flags, stream := start[3], start[4], binary.BigEndian.Uint32(start[5:])
	if size > longestFrame {
		return fmt.Errorf("a frame of %d bytes", size)
	}
	frame, err := m.reader.Peek(frameHeader + size)
	if err != nil {
		return err
	}
	payload := frame[frameHeader:]
	answered := m.calls[stream]
	switch {
	case kind == goAway || kind == resetStream && answered != nil:
		return fmt.Errorf("the server gave up: frame %d with %q", kind, payload)
	case (kind == settings || kind == ping) && flags&acknowledged == 0:
		if kind == settings {
			payload = nil
		}
		m.write(kind, acknowledged, 0, payload)
	case answered != nil && kind == data:
		answered.body = answered.body || size > 0
	case answered != nil && kind == headers && !answered.hasHeader:
		answered.hasHeader, answered.isOK = true, size > 0 && payload[0] == status200
	}
	if answered != nil && (kind == data || kind == headers) && flags&endStream != 0 {
		if err := m.finish(stream, answered); err != nil {
			return err
		}
	}
	_, err = m.reader.Discard(frameHeader + size)
	return err
}

// finish notes the latency of a call. An error of gRPC has no body.
func (m *multiplexer) finish(stream uint32, answered *call) error {
	if !answered.isOK || !answered.body {
		return fmt.Errorf("a response that is not 200 (%t) or has no body (%t)", answered.isOK, answered.body)
	}
	delete(m.calls, stream)
	m.seen[200] = append(m.seen[200], time.Since(answered.begin))
	if time.Now().Before(m.deadline) {
		m.call()
	}
	return nil
}

// blocks returns the headers of the first request on a connection, which enters them in the server's table, and those of the
// others, which are indices in that table: https://www.rfc-editor.org/rfc/rfc7541.
func blocks(fields []string) (first, others []byte) {
	const enter, indexed, firstIndex = 0x40, 0x80, 62
	for i, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		first = append(first, enter, byte(len(name)))
		first = append(append(first, strings.ToLower(name)...), byte(len(value)))
		first = append(first, value...)
		others = append(others, byte(indexed|(firstIndex+len(fields)-1-i)))
	}
	return first, others
}
