{%- from "telemetry.jinja" import telemetry with context -%}
package main

import (
	"bufio"
	"context"
	"encoding/json/v2"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
{%- if cookiecutter.database != "none" %}
	"{{ cookiecutter.module_path }}/internal/database/databasetest"
{%- endif %}
)

// running is the whole service, started by start for one test.
type running struct {
	url    string
	stop   context.CancelFunc
	status chan int // its exit status
	ended  chan struct{}

	mu  sync.Mutex
	log []map[string]any
}

// env is a lookupEnv over the settings of config.ForTests and variables such as "LOG_LEVEL=debug". Free ports are the
// default, so that tests can run side by side.
func env(variables ...string) func(string) (string, bool) {
	set := map[string]string{"PORT": "0", "ADMIN_ADDR": ""{% if telemetry.scraped %}, "METRICS_ADDR": ""{% endif %}}
	maps.Copy(set, config.ForTests())
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		set[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	}
}

// start runs the service as main does, and waits until it listens. A dependency can be a fake: an httptest.Server, whose
// address is the value of a variable. The service stops at the end of the test.
func start(t *testing.T, variables ...string) *running {
	t.Helper()
{%- if cookiecutter.database != "none" %}
	variables = append([]string{"DATABASE_URL=" + databasetest.New(t)}, variables...)
{%- endif %}
	ctx, stop := context.WithCancel(t.Context())
	s := &running{stop: stop, status: make(chan int, 1), ended: make(chan struct{})}
	log, stdout := io.Pipe()
	listening := make(chan string, 1)
	go s.read(t, log, listening)
	go func() {
		s.status <- run(ctx, nil, env(variables...), stdout, t.Output())
		_ = stdout.Close()
	}()
	t.Cleanup(func() { // a log line after the end of the test would be a panic
		stop()
		<-s.ended
	})
	select {
	case address := <-listening:
		_, port, _ := net.SplitHostPort(address)
		s.url = "http://127.0.0.1:" + port
		return s
	case status := <-s.status:
		t.Fatalf("the service did not start: exit status %d", status)
	case <-time.After(10 * time.Second):
		t.Fatal("the service does not listen")
	}
	return nil
}

// read collects the lines of the log, and hands on the first address that the service listens on.
func (s *running) read(t *testing.T, log io.Reader, listening chan<- string) {
	defer close(s.ended)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		_, _ = fmt.Fprintln(t.Output(), lines.Text())
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("the log has a line that is not JSON: %v", err)
			continue
		}
		s.mu.Lock()
		s.log = append(s.log, line)
		s.mu.Unlock()
		if line["msg"] == "listening" && line["variable"] == "PORT" {
			listening <- fmt.Sprint(line["address"])
		}
	}
}

// logged waits for a log line with the message and returns it.
func (s *running) logged(t *testing.T, message string) map[string]any {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		for _, line := range s.log {
			if line["msg"] == message {
				s.mu.Unlock()
				return line
			}
		}
		s.mu.Unlock()
	}
	t.Fatalf("the log has no line %q", message)
	return nil
}

// stopped stops the service and returns its exit status.
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
