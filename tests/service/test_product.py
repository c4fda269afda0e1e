"""A URL shortener, as a product team writes it: in its own files alone, under load, and stopped in the middle."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.documents import table_rows
from tests.support.fixtures import Bake, Lint
from tests.support.team_edits import own_product
from tools.running_service import RunningService

TOKEN = "Authorization: Bearer hunter2"


@pytest.fixture(scope="module")
def shortener(bake: Bake) -> BakedService:
    service = bake()
    own_product(service.path)
    service.build()
    return service


class Safety:
    """The service that knows unsafe links. It can be down, or slow."""

    def __init__(self) -> None:
        safety = self
        self.is_down = False
        self.waiting = 0
        self.release = threading.Event()
        self.release.set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                safety.waiting += not safety.release.is_set()
                safety.release.wait(10)
                self.send_response(503 if safety.is_down else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        return {"SAFETY_URL": f"http://127.0.0.1:{self.server.server_port}", "ADMIN_TOKEN": "hunter2"}


@pytest.fixture
def safety() -> Iterator[Safety]:
    made = Safety()
    yield made
    made.release.set()
    made.server.shutdown()
    made.server.server_close()


def create(service: RunningService, code: str, **more: str) -> raw_http.Answer:
    body = json.dumps({"code": code, "target": "https://go.dev", **more})
    return raw_http.ask(service.address(), "POST", "/v1/links", body)


def test_it_touches_the_files_of_the_team_alone(bake: Bake, shortener: BakedService) -> None:
    untouched = bake()
    rows = table_rows(untouched.read("docs/template.md"), "| yours | what is in it |")
    yours = {name for cells in rows for name in re.findall("`([^` ]+)`", cells[0])}
    changed = {
        name
        for name in untouched.files()
        if name not in shortener.files() or untouched.read(name) != shortener.read(name)
    }
    assert changed <= {*yours, "internal/api/greetings_test.go"}
    assert len(changed) > 8


def test_its_own_tests_and_the_templates_pass(shortener: BakedService) -> None:
    assert shortener.run("gofmt", "-l", ".") == ""
    shortener.make("test")
    assert shortener.make("where").endswith("safety.example\n")


@pytest.mark.long
def test_the_linters_and_the_race_detector_find_nothing(shortener: BakedService, lint: Lint, c_compiler: None) -> None:
    assert "0 issues" in lint(shortener)
    shortener.make("race")


def test_a_dependency_that_fails_is_named_and_comes_back(shortener: BakedService, safety: Safety) -> None:
    with RunningService(shortener.path / "bin/service", **safety.variables) as service:
        service.wait_until_ready()
        safety.is_down = True
        answer = create(service, "go")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        failure = service.wait_for(lambda line: line["msg"] == "request failed")
        assert failure["error"] == "a dependency is unavailable: safety responded with 503 Service Unavailable"
        assert failure["request_id"] == answer.headers["X-Request-ID"]
        safety.is_down = False
        assert create(service, "go").status == 201


def test_a_call_to_a_dependency_ends_with_the_deadline_of_its_request(shortener: BakedService, safety: Safety) -> None:
    with RunningService(shortener.path / "bin/service", REQUEST_TIMEOUT="200ms", **safety.variables) as service:
        safety.release.clear()
        assert create(service, "go").status == 504


def test_an_upload_on_one_route_may_be_large(shortener: BakedService, safety: Safety) -> None:
    with RunningService(shortener.path / "bin/service", **safety.variables) as service:
        lines = "".join(f"code-{number} https://example.com/{'x' * 200}\n" for number in range(80_000))
        assert len(lines) > 16 << 20
        (refused,) = raw_http.exchange(service.address(), raw_http.request("POST", "/v1/import", lines))
        assert refused.status == 401
        assert raw_http.ask(service.address(), "POST", "/v1/import", lines, TOKEN).json() == {"added": 80_000}
        page = raw_http.ask(service.address(), "GET", "/v1/links?limit=2&cursor=code-9").json()
        assert ([link["code"] for link in page["links"]], page["next"]) == (["code-90", "code-900"], "code-900")


def test_a_stop_in_the_middle_cuts_nothing_off(shortener: BakedService, safety: Safety) -> None:
    variables = {**safety.variables, "SHUTDOWN_DELAY": "300ms"}
    with (
        RunningService(shortener.path / "bin/service", **variables) as service,
        closing(raw_http.connect(service.address())) as stream,
        ThreadPoolExecutor(16) as clients,
    ):
        stream.sendall(raw_http.request("GET", "/v1/events"))
        assert stream.recv(4096).startswith(b"HTTP/1.1 200")
        under_load = list(clients.map(lambda number: create(service, f"code-{number}"), range(200)))
        safety.release.clear()
        in_flight = [clients.submit(create, service, f"late-{number}") for number in range(16)]
        while safety.waiting < 16:
            time.sleep(0.01)
        service.drain()
        raw_http.wait_until_refused(service.address())
        safety.release.set()
        assert service.wait() == 0
        assert {answer.status for answer in [*under_load, *(late.result() for late in in_flight)]} == {201}
        events = b"".join(iter(lambda: stream.recv(1 << 16), b""))
        assert b"data: added code-7\n" in events
        assert b"event: bye\ndata:\n\n" in events
        closed = service.wait_for(lambda line: line["msg"] == "shortener closed")
        assert closed["links"] == 216
        assert service.lines[-1]["msg"] == "stopped"
