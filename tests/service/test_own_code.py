"""What a team's own code may rely on: route options, deadlines, streams, start, readiness and the end."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.commands import Done
from tests.support.fixtures import Bake
from tests.support.team_edits import add_routes, replace, write
from tools.running_service import RunningService

OWN = """package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

func (s *Service) own(r *Router) {
	r.Handle("GET /slow", s.slow)
	r.Handle("GET /patient", s.slow, Timeout(time.Hour))
	r.Handle("POST /import", s.count, MaxBody(20<<20))
	r.Handle("GET /events", s.events, Stream())
	r.Handle("GET /socket", s.socket, Stream())
	r.Handle("GET /flood", s.flood, Stream())
	r.Handle("POST /pour", s.count, Stream())
	r.With(copied).Handle("POST /form", s.form, MaxBody(64<<20))
	r.Handle("GET /client", func(w http.ResponseWriter, r *http.Request) { respond(w, http.StatusOK, r.RemoteAddr) })
	r.Handle("GET /missing", func(w http.ResponseWriter, r *http.Request) { fail(w, r, ErrNotFound) })
}

// slow waits for a dependency that does not respond before two seconds.
func (s *Service) slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(2 * time.Second):
		respond(w, http.StatusOK, "done")
	case <-r.Context().Done():
		fail(w, r, r.Context().Err())
	}
}

func (s *Service) count(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, n)
}

func (s *Service) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "data: hello\\n\\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	_, _ = io.WriteString(w, "data: bye\\n\\n")
}

// flood writes until the client no longer takes it.
func (s *Service) flood(w http.ResponseWriter, r *http.Request) {
	for {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			return
		}
	}
}

// copied hands on another request, as a middleware that adds to the context does.
func copied(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(r.Context()))
	})
}

// form reads an uploaded file, which is too large to stay in memory.
func (s *Service) form(w http.ResponseWriter, r *http.Request) {
	_, header, err := r.FormFile("file")
	if err != nil {
		fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, header.Size)
}

// socket is a connection of another protocol: it echoes until it is told to stop, or never stops for "stay".
func (s *Service) socket(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, r, err)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "hello\\n")
	<-r.Context().Done()
	if r.URL.Query().Has("stay") {
		time.Sleep(time.Hour)
	}
	_, _ = io.WriteString(conn, "bye\\n")
}

// Ready fails while the file exists.
func (s *Service) Ready(context.Context) error {
	if _, err := os.Stat(s.Config.Service.OutOfOrder); err == nil {
		return errors.New("the card reader is out of order")
	}
	return nil
}

// Run logs when it is told to stop, and then works on for WORKER_DELAY.
func (s *Service) Run(ctx context.Context) error {
	switch s.Config.Service.Fail {
	case "worker":
		return errors.New("the queue is gone")
	case "panic":
		panic("the queue is gone")
	}
	<-ctx.Done()
	s.Logger.Info("worker told")
	time.Sleep(s.Config.Service.WorkerDelay)
	return nil
}

// Close logs that it was called.
func (s *Service) Close(context.Context) error {
	s.Logger.Info("closed")
	return nil
}
"""

OPEN = """	time.Sleep(platform.Config.Service.StartDelay)
	if platform.Config.Service.Fail == "start" {
		return nil, errors.New("the queue is gone")
	}
"""

SETTINGS = """package config

import "time"

// Service has the settings of this service's own.
type Service struct {
	StartDelay, WorkerDelay time.Duration
	OutOfOrder, Fail        string
	Token                   Secret
}

func (s *Service) variables() []variable {
	return []variable{
		{"START_DELAY", "0s", "how long New takes", duration(&s.StartDelay, 0)},
		{"WORKER_DELAY", "0s", "how long the worker takes to stop", duration(&s.WorkerDelay, 0)},
		{"OUT_OF_ORDER", "/nothing", "a file that is there while the service is not ready", text(&s.OutOfOrder)},
		{"FAIL", "never", "what fails", oneOf(&s.Fail, "never", "start", "worker", "panic")},
		{"TOKEN", required, "what lets clients in", secret(&s.Token)},
	}
}

// ForTests has the variables that tests set.
func ForTests() map[string]string {
	return map[string]string{"TOKEN": "for tests"}
}
"""

COMMANDS = """package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/acme/my-service/internal/api"
)

func commands() map[string]command {
	return map[string]command{
		"greet": func(_ context.Context, p api.Platform, stdout io.Writer, args []string) error {
			if len(args) > 1 {
				panic(args)
			}
			if len(args) == 0 {
				return errors.New("greet takes a name")
			}
			p.Logger.Info("greeting", "token", p.Config.Service.Token)
			_, err := fmt.Fprintf(stdout, "Hello, %s! %v\\n", args[0], p.Config.Service.Token)
			return err
		},
	}
}
"""


TOKEN = "hunter2"


@pytest.fixture(scope="module")
def own_binary(bake: Bake) -> Path:
    """A service whose team has written handlers, settings, readiness, a worker and an end."""
    service = bake()
    write(service.path / "internal/api/own.go", OWN)
    write(service.path / "internal/config/service.go", SETTINGS)
    code = service.path / "internal/api/service.go"
    code.write_text(without_methods(code.read_text()))
    add_routes(service.path, "s.own(r)")
    write(service.path / "commands.go", COMMANDS)
    replace(code, "\treturn &Service{", OPEN + "\treturn &Service{")
    replace(code, 'import "context"\n', 'import (\n\t"context"\n\t"errors"\n\t"time"\n)\n')
    return service.build()


def without_methods(code: str) -> str:
    """Remove Ready, Run and Close, with their comments."""
    return re.sub(r"(\n//[^\n]*)+\nfunc \(s \*Service\) (Ready|Run|Close)\(.*?\n", "", code)


@pytest.fixture
def own(own_binary: Path) -> Iterator[RunningService]:
    with RunningService(
        own_binary, TOKEN=TOKEN, REQUEST_TIMEOUT="300ms", WRITE_TIMEOUT="1s", SHUTDOWN_TIMEOUT="2s"
    ) as running:
        yield running


def opened(service: RunningService, path: str, first: bytes) -> socket.socket:
    """Send a request and wait for the first bytes of its answer."""
    connection = raw_http.connect(service.address())
    connection.sendall(raw_http.request("GET", path))
    came = b""
    while first not in came:
        part = connection.recv(4096)
        assert part, came
        came += part
    return connection


def last_words(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(4096), b""))


def request_line(service: RunningService, route: str) -> dict[str, object]:
    return service.wait_for(lambda line: line.get("route") == route)


@pytest.mark.contract("a handler that gives up at `REQUEST_TIMEOUT`")
def test_a_handler_that_gives_up_at_its_deadline_is_a_504(own: RunningService) -> None:
    answer = raw_http.ask(own.address(), "GET", "/slow")
    assert (answer.status, answer.is_problem()) == (504, True)
    line = request_line(own, "GET /slow")
    assert (line["level"], line["refused_by"]) == ("ERROR", "REQUEST_TIMEOUT")


@pytest.mark.contract("route options")
def test_a_route_may_take_longer(own: RunningService) -> None:
    assert raw_http.ask(own.address(), "GET", "/patient").status == 200


@pytest.mark.contract("route options")
def test_a_route_may_take_a_larger_body(own: RunningService) -> None:
    body = b"x" * (20 << 20)
    assert raw_http.ask(own.address(), "POST", "/import", body).json() == len(body)
    (refused,) = raw_http.exchange(own.address(), raw_http.request("POST", "/import", body + b"x"))
    assert refused.status == 413
    assert own.wait_for(lambda line: line.get("status") == 413)["refused_by"] == "MAX_BODY_BYTES"


@pytest.mark.contract("errors of handlers")
def test_an_error_stands_for_its_problem(own: RunningService) -> None:
    answer = raw_http.ask(own.address(), "GET", "/missing")
    assert (answer.status, answer.is_problem()) == (404, True)
    assert request_line(own, "GET /missing")["level"] == "INFO"


@pytest.mark.contract("a stream")
def test_streams_end_in_their_own_words_and_do_not_hold_the_stop(own_binary: Path) -> None:
    with RunningService(own_binary, TOKEN=TOKEN, SHUTDOWN_DELAY="500ms", WRITE_TIMEOUT="200ms") as service:
        streams = [opened(service, "/events", b"hello") for _ in range(3)]
        time.sleep(0.4)  # longer than WRITE_TIMEOUT
        service.drain()
        streams[0].settimeout(0.2)
        with pytest.raises(TimeoutError):  # not at SIGTERM: the client would come back to this copy
            streams[0].recv(1)
        begin = time.monotonic()
        for stream in streams:
            with closing(stream):
                stream.settimeout(10)
                assert b"data: bye" in last_words(stream)
        assert service.wait() == 0
        assert time.monotonic() - begin < 2


@pytest.mark.contract("a stream")
def test_a_stream_whose_client_no_longer_reads_does_not_hold_the_stop(own_binary: Path) -> None:
    with (
        RunningService(own_binary, TOKEN=TOKEN, SHUTDOWN_TIMEOUT="2s") as service,
        closing(opened(service, "/flood", b"200 OK")),
    ):
        assert service.stop() == 0


@pytest.mark.contract("a stream")
def test_a_stream_may_take_its_time_to_send(own_binary: Path) -> None:
    with (
        RunningService(own_binary, TOKEN=TOKEN, READ_TIMEOUT="200ms") as service,
        closing(raw_http.connect(service.address())) as connection,
    ):
        request = raw_http.request("POST", "/pour", b"slow")
        connection.sendall(request[:-2])
        time.sleep(0.4)
        connection.sendall(request[-2:])
        assert b"200 OK" in connection.recv(4096)


@pytest.mark.contract("an uploaded file")
def test_the_files_of_an_upload_are_removed(own_binary: Path, tmp_path: Path) -> None:
    boundary = b"--x\r\n"
    head = b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = boundary + head + b"x" * (40 << 20) + b"\r\n--x--\r\n"
    with RunningService(own_binary, TOKEN=TOKEN, TMPDIR=str(tmp_path)) as service:
        kind = "Content-Type: multipart/form-data; boundary=x"
        assert raw_http.ask(service.address(), "POST", "/form", body, kind).json() == 40 << 20
        service.stop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.contract("a stream")
def test_streams_have_a_limit_of_their_own(own_binary: Path) -> None:
    with (
        RunningService(own_binary, TOKEN=TOKEN, MAX_STREAMS="1", MAX_IN_FLIGHT="1") as service,
        closing(opened(service, "/events", b"hello")),
    ):
        refused = raw_http.ask(service.address(), "GET", "/events")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert service.wait_for(lambda line: line.get("status") == 503)["refused_by"] == "MAX_STREAMS"
        assert raw_http.ask(service.address(), "GET", "/version").status == 200


@pytest.mark.contract("a hijacked connection, such as a WebSocket")
def test_a_hijacked_connection_is_told_and_waited_for(own: RunningService) -> None:
    with closing(opened(own, "/socket", b"hello")) as connection:
        own.signal()
        assert last_words(connection) == b"bye\n"
        assert own.wait() == 0


@pytest.mark.contract("a hijacked connection, such as a WebSocket")
def test_a_hijacked_connection_that_stays_is_cut_off_and_counted(own_binary: Path) -> None:
    with RunningService(own_binary, TOKEN=TOKEN, SHUTDOWN_TIMEOUT="200ms") as service:
        with closing(opened(service, "/socket?stay", b"hello")) as connection:
            assert service.stop() == 1
            assert raw_http.is_closed(connection)
        assert "cut off after SHUTDOWN_TIMEOUT=200ms: 1" in service.lines[-1]["error"]


@pytest.mark.contract("a service that starts")
def test_a_service_that_starts_is_alive_and_not_ready(own_binary: Path) -> None:
    with RunningService(own_binary, TOKEN=TOKEN, START_DELAY="1500ms") as service:
        statuses = [raw_http.ask(service.address(), "GET", path).status for path in ("/livez", "/readyz")]
        waited = raw_http.ask(service.address(), "GET", "/version")
        assert (statuses, waited.status, waited.headers["Retry-After"]) == ([200, 503], 503, "1")
        assert raw_http.ask(service.address(), "GET", "/version").status == 200
        assert raw_http.ask(service.address(), "GET", "/readyz").status == 200


@pytest.mark.contract("readiness of the service's own")
def test_a_change_of_the_readiness_is_logged(own_binary: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    with RunningService(own_binary, TOKEN=TOKEN, OUT_OF_ORDER=str(broken)) as service:
        service.wait_until_ready()
        broken.touch()
        assert raw_http.ask(service.address(), "GET", "/readyz").status == 200  # remembered for a second
        time.sleep(1.1)
        answer = raw_http.ask(service.address("ADMIN_ADDR"), "GET", "/readyz")
        assert (answer.status, answer.is_problem()) == (503, True)
        assert raw_http.ask(service.address(), "GET", "/livez").status == 200
        assert service.wait_for(lambda line: line["msg"] == "not ready")["error"] == "the card reader is out of order"
        broken.unlink()
        time.sleep(1.1)
        assert raw_http.ask(service.address(), "GET", "/readyz").status == 200
        service.wait_for(lambda line: line["msg"] == "ready again")


@pytest.mark.contract("order of a stop")
def test_the_parts_stop_in_order(own_binary: Path) -> None:
    with RunningService(own_binary, TOKEN=TOKEN, REQUEST_TIMEOUT="30s") as service:
        with raw_http.connect(service.address()) as connection:
            connection.sendall(raw_http.request("GET", "/slow"))
            time.sleep(0.2)
            assert service.stop() == 0
            assert raw_http.read_answer(connection).status == 200
        steps = [line["msg"] for line in service.lines if line["msg"] not in {"listening"}]
        assert steps == ["draining", "request", "worker told", "closed", "stopped"]


@pytest.mark.contract("order of a stop")
def test_a_part_that_hangs_is_named_and_the_rest_is_closed(own_binary: Path) -> None:
    with RunningService(own_binary, TOKEN=TOKEN, WORKER_DELAY="1h", SHUTDOWN_TIMEOUT="300ms") as service:
        service.wait_until_ready()
        begin = time.monotonic()
        assert service.stop() == 1
        assert time.monotonic() - begin < 2
        assert [line["msg"] for line in service.lines[-3:]] == ["worker told", "closed", "stopped"]
        assert service.lines[-1]["error"] == "service: not finished after SHUTDOWN_TIMEOUT"


@pytest.mark.contract("`TRUSTED_PROXIES`")
@pytest.mark.parametrize(
    ("trusted", "client"),
    [pytest.param("127.0.0.0/8", "198.51.100.7", id="trusted"), pytest.param("", "127.0.0.1", id="not trusted")],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(own_binary: Path, trusted: str, client: str) -> None:
    with RunningService(own_binary, TOKEN=TOKEN, TRUSTED_PROXIES=trusted) as service:
        forwarded = "X-Forwarded-For: 203.0.113.9, 198.51.100.7"
        seen = raw_http.ask(service.address(), "GET", "/client", None, forwarded).json()
        assert seen.partition(":")[0] == client
        assert request_line(service, "GET /client")["client"] == seen


@pytest.mark.contract("a part that fails")
@pytest.mark.parametrize(
    ("fails", "error"),
    [
        ("start", "service: cannot start: the queue is gone"),
        ("worker", "service: the queue is gone"),
        ("panic", "service: panic: the queue is gone"),
    ],
)
def test_a_part_that_fails_stops_the_service_and_is_named(own_binary: Path, fails: str, error: str) -> None:
    delay = "1h" if fails == "start" else "200ms"  # there is nothing to drain before the start
    with RunningService(own_binary, TOKEN=TOKEN, FAIL=fails, SHUTDOWN_DELAY=delay) as service:
        assert service.wait() == 1
        assert service.lines[-1]["error"].startswith(error)
        assert any(line["msg"] == "closed" for line in service.lines) == (fails != "start")


def run(binary: Path, *arguments: str, **variables: str) -> Done:
    return subprocess.run([binary, *arguments], env=variables, capture_output=True, text=True, timeout=10)


@pytest.mark.contract("sub-command")
def test_a_sub_command_has_the_settings_and_its_output_for_itself(own_binary: Path) -> None:
    told = run(own_binary, "greet", "Ada", TOKEN=TOKEN)
    assert (told.returncode, told.stdout) == (0, "Hello, Ada! ***\n")
    failed = run(own_binary, "greet", TOKEN=TOKEN)
    assert (failed.returncode, failed.stderr) == (1, "my-service greet: greet takes a name\n")
    assert run(own_binary, "greet", "Ada", "Bob", TOKEN=TOKEN).returncode == 1  # it panics
    assert "| greet]" in run(own_binary, "nothing", TOKEN=TOKEN).stderr


@pytest.mark.contract("secrets")
def test_a_secret_is_read_from_a_file_and_not_shown(own_binary: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    told = run(own_binary, "greet", "Ada", TOKEN_FILE=str(file))
    assert told.returncode == 0
    assert TOKEN not in told.stdout + told.stderr
    assert '"token":"***"' in told.stderr
    assert run(own_binary).stderr.startswith("TOKEN is not set: must be ")
    both = run(own_binary, TOKEN=TOKEN, TOKEN_FILE=str(file))
    assert (both.returncode, TOKEN in both.stderr) == (2, False)
