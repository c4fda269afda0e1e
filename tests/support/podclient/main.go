// A client in a pod. Without arguments it waits for orders on port 7000: /start?path=… sends requests to the service, on
// connections that stay and on new ones, and /stop returns how many were sent, and each failure with its number.
//
// "client listen PORT..." accepts connections. "client connect ADDRESS" tries to connect, and "client request ADDRESS PATH"
// sends a request.
//
// It sends nothing again, as http.Client does on a connection that was closed: a request that gets no 200 is a failure.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	timeout = 10 * time.Second
	pause   = 20 * time.Millisecond // of a worker, between two requests
	workers = 16
)

// worker sends one request at a time.
type worker struct {
	address, path string
	keepAlive     bool
}

// load is what all workers saw.
type load struct {
	stop    chan struct{}
	working sync.WaitGroup

	mu     sync.Mutex
	Sent   int            `json:"sent"`
	Failed map[string]int `json:"failed"`
}

func main() {
	var err error
	switch arguments := append(os.Args[1:], ""); arguments[0] {
	case "":
		err = waitForOrders()
	case "listen":
		err = listen(os.Args[2:])
	case "connect":
		_, err = net.DialTimeout("tcp", os.Args[2], 3*time.Second)
	case "request":
		w := worker{address: os.Args[2], path: os.Args[3]}
		_, err = w.send(nil)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func waitForOrders() error {
	var running *load
	http.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		address, err := net.ResolveTCPAddr("tcp", query.Get("address")) // once: this is no test of the name server
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		running = start(address.String(), query["path"])
	})
	http.HandleFunc("/stop", func(w http.ResponseWriter, _ *http.Request) {
		close(running.stop)
		running.working.Wait()
		_ = json.NewEncoder(w).Encode(running)
	})
	return http.ListenAndServe(":7000", nil)
}

func listen(ports []string) error {
	for _, port := range ports[1:] {
		go func() { log.Fatal(http.ListenAndServe(":"+port, http.NotFoundHandler())) }()
	}
	return http.ListenAndServe(":"+ports[0], http.NotFoundHandler())
}

// start sends up to 800 requests a second, to each path alike.
func start(address string, paths []string) *load {
	l := &load{stop: make(chan struct{}), Failed: map[string]int{}}
	for i := range workers {
		w := worker{address: address, path: paths[i/2%len(paths)], keepAlive: i%2 == 0}
		l.working.Go(func() { w.work(l) })
	}
	return l
}

func (w worker) work(l *load) {
	var conn net.Conn
	for {
		select {
		case <-l.stop:
			return
		case <-time.After(pause):
		}
		var err error
		if conn, err = w.send(conn); err != nil {
			conn = nil
		}
		l.add(err)
	}
}

// send sends a request on a connection, or on a new one if there is none. It returns the connection if it stays open.
func (w worker) send(conn net.Conn) (net.Conn, error) {
	if conn == nil {
		var err error
		if conn, err = net.DialTimeout("tcp", w.address, timeout); err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
	}
	_ = conn.SetDeadline(time.Now().Add(timeout))
	request, err := http.NewRequest(http.MethodGet, "http://service"+w.path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = !w.keepAlive
	if err := request.Write(conn); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if response.Close || !w.keepAlive {
		conn.Close()
		conn = nil
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return conn, err
}

func (l *load) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Sent++
	if err != nil {
		l.Failed[err.Error()]++
	}
}
