package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestServesUntilItIsToldToStop(t *testing.T) {
	t.Parallel()
	s := start(t)
	if got, want := s.logged(t, "listening")["version"], any("dev"); got != want {
		t.Errorf("the first log line has version %v, want %v", got, want)
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
		output []string // has all of these
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
			var stdout, stderr strings.Builder
			if got := run(t.Context(), test.args, env(test.env...), &stdout, &stderr); got != test.status {
				t.Errorf("exit status %d, want %d", got, test.status)
			}
			for _, want := range test.output {
				if output := stdout.String() + stderr.String(); !strings.Contains(output, want) {
					t.Errorf("the output is %q, want it to have %q", output, want)
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
