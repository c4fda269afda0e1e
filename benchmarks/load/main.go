// A load generator: so many connections that each send the next request when the answer to the last is there. It
// prints the number of answers per second. It speaks HTTP by hand, so that it leaves the processors to the server.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:8080", "where the server listens")
	path := flag.String("path", "/", "what to ask for")
	connections := flag.Int("connections", 64, "how many ask at once")
	duration := flag.Duration("duration", 2*time.Second, "how long")
	flag.Parse()

	request := []byte("GET " + *path + " HTTP/1.1\r\nHost: " + *address + "\r\n\r\n")
	var answers atomic.Int64
	var asking sync.WaitGroup
	begin := time.Now()
	for range *connections {
		asking.Go(func() {
			n, err := ask(*address, request, begin.Add(*duration))
			if err != nil {
				log.Fatal(err)
			}
			answers.Add(n)
		})
	}
	asking.Wait()
	fmt.Printf("%.0f\n", float64(answers.Load())/time.Since(begin).Seconds())
}

// ask sends the request on one connection until the deadline and returns the number of answers.
func ask(address string, request []byte, deadline time.Time) (int64, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	var n int64
	for ; time.Now().Before(deadline); n++ {
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		if err := readAnswer(reader); err != nil {
			return n, err
		}
	}
	return n, nil
}

// readAnswer reads one answer with a length; any other status than 200 is an error.
func readAnswer(reader *bufio.Reader) error {
	status, err := reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("unexpected answer %q", status)
	}
	length := 0
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err = io.CopyN(io.Discard, reader, int64(length))
	return err
}
