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

// env is a lookupEnv over fixed variables. Free ports are the default, so that tests can run side by side.
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

// running is a service that was started by start.
type running struct {
	url    string
	first  map[string]any // the first line of its log
	stop   context.CancelFunc
	status chan int // its exit status
}

// start runs the service as main does, and waits until it listens.
func start(t *testing.T, variables ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &running{stop: stop, status: make(chan int, 1)}
	log, stdout := io.Pipe()
	go func() { s.status <- run(ctx, nil, env(variables...), stdout, t.Output()) }()

	lines := bufio.NewReader(log)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		t.Fatalf("cannot read the log: %v", err)
	}
	go io.Copy(t.Output(), lines) //nolint:errcheck // ends with the test
	if err := json.Unmarshal(line, &s.first); err != nil {
		t.Fatalf("the first log line is not JSON: %v\n%s", err, line)
	}
	_, port, err := net.SplitHostPort(fmt.Sprint(s.first["address"]))
	if err != nil {
		t.Fatalf("the first log line has no address: %v", s.first)
	}
	s.url = "http://127.0.0.1:" + port
	return s
}

func (s *running) stopped(t *testing.T) int {
	t.Helper()
	s.stop()
	select {
	case status := <-s.status:
		return status
	case <-time.After(5 * time.Second):
		t.Fatal("the service did not stop")
		return -1
	}
}

func TestServesUntilItIsToldToStop(t *testing.T) {
	t.Parallel()
	s := start(t)
	if got, want := s.first["msg"], "listening"; got != want {
		t.Errorf("first log line says %q, want %q", got, want)
	}
	if got, want := s.first["version"], any("dev"); got != want {
		t.Errorf("first log line has version %v, want %v", got, want)
	}

	answer, err := http.Get(s.url + "/version")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, want := answer.StatusCode, http.StatusOK; got != want {
		t.Errorf("GET /version answers %d, want %d", got, want)
	}

	if got := s.stopped(t); got != exitOK {
		t.Errorf("exit status %d, want %d", got, exitOK)
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))

	check := func() int {
		return run(t.Context(), []string{"-healthcheck"}, env("PORT="+port), t.Output(), t.Output())
	}
	if got := check(); got != exitOK {
		t.Errorf("health check of a running service exits with %d, want %d", got, exitOK)
	}
	s.stopped(t)
	if got := check(); got != exitFailure {
		t.Errorf("health check of a stopped service exits with %d, want %d", got, exitFailure)
	}
}

func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // not defer: the subtests outlive this function
	_, port, _ := net.SplitHostPort(taken.Addr().String())

	tests := []struct {
		name   string
		args   []string
		env    []string
		status int
		stderr []string // has all of these
	}{
		{"unknown flag", []string{"-verbose"}, nil, exitUsage, []string{"-verbose", "usage:"}},
		{"stray argument", []string{"serve"}, nil, exitUsage, []string{"serve", "usage:"}},
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
					t.Errorf("standard error is %q, want it to have %q", stderr.String(), want)
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
			t.Errorf("%s prints %q, want it to have %q", argument, stdout.String(), want)
		}
	}
}
