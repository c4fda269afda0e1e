// A load generator. Each connection sends its next request when the last response has arrived, or at a steady rate. With
// -streams, it is an HTTP/2 connection with that many requests in flight, without a steady rate.
// The program prints a line of JSON with responses per second and percentiles of the latency in microseconds, separately
// for 200 and 503. It does not use net/http, which would take CPU time from the server.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load is the work of a connection.
type load struct {
	address  string
	request  []byte
	pause    time.Duration // between two requests of a connection, 0 for none
	deadline time.Time

	streams           int // in flight on a connection, 0 for HTTP/1
	firstBlock, block []byte
	body              []byte
}

// latencies has the latency of each response, by status.
type latencies map[int][]time.Duration

type summary struct {
	Rate float64 `json:"rate"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

func main() {
	address := flag.String("address", "127.0.0.1:8080", "where the server listens")
	path := flag.String("path", "/", "the path to request")
	connections := flag.Int("connections", 64, "number of connections")
	rate := flag.Int("rate", 0, "requests per second over all connections, 0 for no limit")
	duration := flag.Duration("duration", 2*time.Second, "how long to send requests")
	streams := flag.Int("streams", 0, "requests in flight on each connection, by HTTP/2 without TLS; 0 is HTTP/1")
	body := flag.String("body", "", "the body of a POST, in hexadecimal; empty is a GET")
	var headers []string
	flag.Func("header", "a header, as in \"Accept: text/plain\"; may be repeated", func(header string) error {
		headers = append(headers, header)
		return nil
	})
	flag.Parse()

	l := load{address: *address, streams: *streams}
	if err := l.prepare(*path, *body, headers); err != nil {
		log.Fatal(err)
	}
	if *rate > 0 {
		l.pause = time.Second * time.Duration(*connections) / time.Duration(*rate)
	}
	begin := time.Now()
	l.deadline = begin.Add(*duration)
	all := make([]latencies, *connections)
	var clients sync.WaitGroup
	for i := range all {
		clients.Go(func() {
			time.Sleep(l.pause * time.Duration(i) / time.Duration(*connections)) // spreads the requests evenly
			var err error
			if all[i], err = l.sendAll(); err != nil {
				log.Fatal(err)
			}
		})
	}
	clients.Wait()
	elapsed := time.Since(begin)
	report := map[string]summary{"ok": {}, "refused": {}}
	for name, status := range map[string]int{"ok": 200, "refused": 503} {
		report[name] = summarize(all, status, elapsed)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		log.Fatal(err)
	}
}

// prepare writes the requests. The longest text that it can send by HTTP/2 has 126 bytes.
func (l *load) prepare(path, body string, headers []string) (err error) {
	if l.body, err = hex.DecodeString(body); err != nil {
		return err
	}
	method, lines := "GET", slices.Clone(headers)
	if len(l.body) > 0 { // HTTP/2 needs no length, and clients of gRPC send none
		method, lines = "POST", append(lines, "Content-Length: "+strconv.Itoa(len(l.body)))
	}
	lines = append([]string{method + " " + path + " HTTP/1.1", "Host: " + l.address}, lines...)
	l.request = append([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), l.body...)
	pseudo := []string{":method: " + method, ":scheme: http", ":path: " + path, ":authority: " + l.address}
	l.firstBlock, l.block = blocks(append(pseudo, headers...))
	return nil
}

// sendAll sends the request on one connection until the deadline.
func (l load) sendAll() (latencies, error) {
	if l.streams > 0 {
		return l.sendHTTP2()
	}
	return l.send()
}

// send does so by HTTP/1.
func (l load) send() (latencies, error) {
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	seen := latencies{}
	for begin := time.Now(); begin.Before(l.deadline); {
		time.Sleep(time.Until(begin))
		if _, err := conn.Write(l.request); err != nil {
			return nil, err
		}
		status, err := readResponse(reader)
		if err != nil {
			return nil, err
		}
		seen[status] = append(seen[status], time.Since(begin))
		if l.pause > 0 {
			begin = begin.Add(l.pause) // when it is due: time spent waiting for the last response counts
		} else {
			begin = time.Now()
		}
	}
	return seen, nil
}

// readResponse reads a response with a Content-Length and returns its status. A status other than 200 and 503 is an error.
func readResponse(reader *bufio.Reader) (int, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	status := 200
	if bytes.HasPrefix(line, []byte("HTTP/1.1 503 ")) {
		status = 503
	} else if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("unexpected status line %q", line)
	}
	length := 0
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) == 2 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	_, err = io.CopyN(io.Discard, reader, int64(length))
	return status, err
}

func summarize(all []latencies, status int, duration time.Duration) summary {
	var sorted []time.Duration
	for _, seen := range all {
		sorted = append(sorted, seen[status]...)
	}
	if len(sorted) == 0 {
		return summary{}
	}
	slices.Sort(sorted)
	percentile := func(p float64) float64 {
		return float64(sorted[int(p*float64(len(sorted)-1))].Nanoseconds()) / 1000
	}
	return summary{float64(len(sorted)) / duration.Seconds(), percentile(0.5), percentile(0.99), percentile(0.999)}
}
