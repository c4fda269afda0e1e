package main

import (
	"bufio"
	"context"
	"encoding/json/v2"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// env returns a lookupEnv for these variables. By default the port is free and there is no admin port, so that tests
// can run in parallel.
func env(variables ...string) func(string) (string, bool) {
	set := map[string]string{"PORT": "0", "ADMIN_ADDR": ""}
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		set[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	}
}

// runningService is a service started by startService.
type runningService struct {
	url          string
	firstLogLine map[string]any
	stop         context.CancelFunc
	exitStatus   chan int
}

// startService runs the service as main does, and waits until it listens.
func startService(t *testing.T, variables ...string) *runningService {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &runningService{stop: stop, exitStatus: make(chan int, 1)}
	log, stdout := io.Pipe()
	go func() { s.exitStatus <- run(ctx, nil, env(variables...), stdout, t.Output()) }()

	lines := bufio.NewReader(log)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		t.Fatalf("cannot read the log: %v", err)
	}
	go io.Copy(t.Output(), lines) //nolint:errcheck // ends with the test
	if err := json.Unmarshal(line, &s.firstLogLine); err != nil {
		t.Fatalf("the first log line is not JSON: %v\n%s", err, line)
	}
	_, port, err := net.SplitHostPort(fmt.Sprint(s.firstLogLine["address"]))
	if err != nil {
		t.Fatalf("the first log line has no address: %v", s.firstLogLine)
	}
	s.url = "http://127.0.0.1:" + port
	return s
}

func (s *runningService) stopAndWait(t *testing.T) int {
	t.Helper()
	s.stop()
	select {
	case status := <-s.exitStatus:
		return status
	case <-time.After(5 * time.Second):
		t.Fatal("the service did not stop")
		return -1
	}
}

func TestServiceRunsUntilStopped(t *testing.T) {
	t.Parallel()
	s := startService(t)
	if got, want := s.firstLogLine["msg"], "listening"; got != want {
		t.Errorf("first log line has message %q, want %q", got, want)
	}
	if got, want := s.firstLogLine["version"], any("dev"); got != want {
		t.Errorf("first log line has version %v, want %v", got, want)
	}

	response, err := http.Get(s.url + "/version")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, want := response.StatusCode, http.StatusOK; got != want {
		t.Errorf("GET /version: status %d, want %d", got, want)
	}

	if got := s.stopAndWait(t); got != exitOK {
		t.Errorf("exit status %d, want %d", got, exitOK)
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	s := startService(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))

	check := func() int {
		return run(t.Context(), []string{"-healthcheck"}, env("PORT="+port), t.Output(), t.Output())
	}
	if got := check(); got != exitOK {
		t.Errorf("health check of a running service exits with %d, want %d", got, exitOK)
	}
	s.stopAndWait(t)
	if got := check(); got != exitFailure {
		t.Errorf("health check of a stopped service exits with %d, want %d", got, exitFailure)
	}
}

func TestServiceFailsToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // not defer: the parallel subtests run after this function returned
	_, port, _ := net.SplitHostPort(taken.Addr().String())

	tests := []struct {
		name   string
		args   []string
		env    []string
		status int
		stderr []string // must contain all of these
	}{
		{"unknown flag", []string{"-verbose"}, nil, exitUsage, []string{"-verbose", "usage:"}},
		{"unexpected argument", []string{"serve"}, nil, exitUsage, []string{"serve", "usage:"}},
		{"bad variables", nil, []string{"PORT=http", "LOG_LEVEL="}, exitUsage, []string{"PORT", "LOG_LEVEL"}},
		{"port taken", nil, []string{"PORT=" + port}, exitFailure, []string{"PORT", ":" + port}},
		{"admin port taken", nil, []string{"ADMIN_ADDR=:" + port}, exitFailure, []string{"ADMIN_ADDR", ":" + port}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var stderr strings.Builder
			if got := run(t.Context(), test.args, env(test.env...), io.Discard, &stderr); got != test.status {
				t.Errorf("exit status %d, want %d", got, test.status)
			}
			for _, want := range test.stderr {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("standard error is %q, want it to contain %q", stderr.String(), want)
				}
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for argument, want := range map[string]string{"-help": "SHUTDOWN_TIMEOUT", "-version": service + " " + Version} {
		var stdout strings.Builder
		if got := run(t.Context(), []string{argument}, env(), &stdout, t.Output()); got != exitOK {
			t.Errorf("%s exits with %d, want %d", argument, got, exitOK)
		}
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%s prints %q, want it to contain %q", argument, stdout.String(), want)
		}
	}
}
