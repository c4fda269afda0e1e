// Adapter runs a service as Connect's conformance suite wants it: it reads the settings from stdin, and writes to stdout
// where the service listens. SIGTERM stops both.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"connectrpc.com/conformance/internal"
	conformancev1 "connectrpc.com/conformance/internal/gen/proto/go/connectrpc/conformance/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, binary string) error {
	var settings conformancev1.ServerCompatRequest
	if err := internal.ReadDelimitedMessage(os.Stdin, &settings, "the suite", 10*time.Second, 1<<20); err != nil {
		return err
	}
	service := exec.CommandContext(ctx, binary)
	service.Cancel = func() error { return service.Process.Signal(syscall.SIGTERM) }
	service.Env = []string{"PORT=0", "ADMIN_ADDR=", fmt.Sprintf("MAX_BODY_BYTES=%d", settings.MessageReceiveLimit)}
	service.Stderr = os.Stderr
	lines, err := service.StdoutPipe()
	if err != nil {
		return err
	}
	if err := service.Start(); err != nil {
		return err
	}
	port, err := portIn(lines)
	if err != nil {
		return err
	}
	listening := conformancev1.ServerCompatResponse{Host: "127.0.0.1", Port: uint32(port)}
	if err := internal.WriteDelimitedMessage(os.Stdout, &listening); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, lines)
	return service.Wait()
}

// portIn returns the port of PORT, once a line of the service's log tells it.
func portIn(lines io.Reader) (uint16, error) {
	for decoder := json.NewDecoder(lines); ; {
		var line struct{ Msg, Variable, Address string }
		if err := decoder.Decode(&line); err != nil {
			return 0, err
		}
		if line.Msg == "listening" && line.Variable == "PORT" {
			address, err := netip.ParseAddrPort(line.Address)
			return address.Port(), err
		}
	}
}
