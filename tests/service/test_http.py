"""HTTP on PORT, over raw sockets."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.fixtures import Bake
from tests.support.team_edits import add_routes
from tools.running_service import RunningService, wait_for_answer

GREETINGS = "/v1/greetings"


def greet(service: RunningService, body: bytes | str | None, *headers: str) -> raw_http.Answer:
    return raw_http.ask(service.address(), "POST", GREETINGS, body, *headers)


@pytest.mark.contract("`GET /`")
def test_the_root_tells_where_to_read_on(service: RunningService) -> None:
    answer = raw_http.ask(service.address(), "GET", "/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == {"service": "my-service", "version": "1.2.3", "openapi": "/openapi.yaml"}


@pytest.mark.contract("`GET /livez`, `GET /readyz`")
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_are_answered(service: RunningService, path: str) -> None:
    wait_for_answer(service.address()[1], path)
    answer = raw_http.ask(service.address(), "GET", path)
    assert (answer.status, answer.headers["Content-Type"], answer.json()) == (200, "application/json", {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.contract("`GET /version`")
def test_version_tells_the_build(service: RunningService) -> None:
    answer = raw_http.ask(service.address(), "GET", "/version")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    build = answer.json()
    assert build.pop("go_version").startswith("go1.")
    assert build == {"service": "my-service", "version": "1.2.3", "commit": "unknown"}


@pytest.mark.contract("`GET /openapi.yaml`")
def test_the_description_is_the_file_in_the_repository(service: RunningService, default: BakedService) -> None:
    answer = raw_http.ask(service.address(), "GET", "/openapi.yaml")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/yaml")
    assert answer.body.decode() == default.read("internal/api/openapi.yaml")


@pytest.mark.contract("`GET /openapi.yaml`")
def test_the_description_has_every_route_and_no_other(service: RunningService, default: BakedService) -> None:
    described = yaml.safe_load(default.read("internal/api/openapi.yaml"))
    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        allowed = raw_http.ask(service.address(), "OPTIONS", path).headers["Allow"]
        assert {method.lower() for method in allowed.split(", ")} - {"head"} == operations.keys()


@pytest.mark.contract("`POST /v1/greetings`")
@pytest.mark.parametrize("headers", [(), ("Content-Type: application/json; charset=utf-8",)])
def test_the_example_greets(service: RunningService, headers: tuple[str, ...]) -> None:
    answer = greet(service, '{"name":"Ada"}', *headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == {"message": "Hello, Ada!"}


@pytest.mark.long
@pytest.mark.contract("`POST /v1/greetings`")
def test_the_example_can_be_deleted_in_a_minute(bake: Bake) -> None:
    service = bake()
    for name in ("greetings.go", "greetings_test.go"):
        (service.path / "internal/api" / name).unlink()
    own = service.path / "internal/api/routes.go"
    kept = [line for line in own.read_text().splitlines(keepends=True) if "greet" not in line]
    own.write_text("".join(kept))
    description = service.path / "internal/api/openapi.yaml"
    described = re.sub(r"^  /v1/greetings:\n(    .*\n|\n)+", "", description.read_text(), flags=re.MULTILINE)
    description.write_text(described)
    service.run("gofmt", "-l", ".")
    service.run("go", "vet", "./...")
    service.make("test")


@pytest.mark.contract("unknown path")
@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/greetings/", "/debug/pprof/", "/debug/vars", "/livez/x"])
def test_an_unknown_path_is_not_found(service: RunningService, path: str) -> None:
    answer = raw_http.ask(service.address(), "GET", path)
    assert (answer.status, answer.is_problem()) == (404, True)


@pytest.mark.contract("wrong method")
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", GREETINGS, "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("BREW", "/version", "GET, HEAD"),
        ("PUT", "/", "GET, HEAD"),
    ],
)
def test_a_wrong_method_gets_the_allowed_ones(service: RunningService, method: str, path: str, allowed: str) -> None:
    answer = raw_http.ask(service.address(), method, path)
    assert (answer.status, answer.headers["Allow"], answer.is_problem()) == (405, allowed, True)


@pytest.mark.contract("wrong method")
@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/version", "/openapi.yaml"])
def test_head_is_get_without_the_body(service: RunningService, path: str) -> None:
    head, get = raw_http.ask(service.address(), "HEAD", path), raw_http.ask(service.address(), "GET", path)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.contract("body not JSON, trailing data, unknown member, duplicate member, invalid UTF-8")
@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param("", "byte 0", id="empty"),
        pytest.param("name=Ada", "byte 1", id="not JSON"),
        pytest.param('{"name":"Ada"', "byte 13", id="half"),
        pytest.param('{"name":"Ada"} {}', "byte 15", id="trailing data"),
        pytest.param('{"name":"Ada","age":36}', "#/age", id="unknown member"),
        pytest.param('{"name":"Ada","name":"Bob"}', "#/name", id="duplicate member"),
        pytest.param(b'{"name":"\xff"}', "#/name", id="invalid UTF-8"),
        pytest.param('{"name":5}', "#/name", id="wrong type"),
        pytest.param("null", "#", id="null"),
        pytest.param('\ufeff{"name":"Ada"}', "byte 0", id="byte-order mark"),
    ],
)
def test_an_unreadable_body_gets_the_place_of_its_error(service: RunningService, body: bytes | str, place: str) -> None:
    answer = greet(service, body)
    assert (answer.status, answer.is_problem()) == (400, True)
    assert place in answer.json()["detail"]


@pytest.mark.contract("wrong or missing `Content-Type` on a body")
@pytest.mark.parametrize(
    "header",
    ["Content-Type: text/plain", "Content-Type:", "Content-Type: application/jsonx", "Content-Type: text/json"],
)
def test_a_body_of_another_type_is_refused(service: RunningService, header: str) -> None:
    answer = greet(service, '{"name":"Ada"}', header)
    assert (answer.status, answer.is_problem()) == (415, True)


@pytest.mark.contract("value out of range")
def test_the_description_has_the_range_that_the_service_checks(default: BakedService) -> None:
    described = yaml.safe_load(default.read("internal/api/openapi.yaml"))
    body = described["paths"][GREETINGS]["post"]["requestBody"]["content"]["application/json"]["schema"]
    (checked,) = re.findall(r"const maxNameLength = (\d+)", default.read("internal/api/greetings.go"))
    assert (body["properties"]["name"]["minLength"], body["properties"]["name"]["maxLength"]) == (1, int(checked))


@pytest.mark.contract("value out of range")
@pytest.mark.parametrize("name", ["", "x" * 101, "A\\u0000", "A\\n", "\\u009f"])
def test_a_value_out_of_range_gets_an_entry_for_its_field(service: RunningService, name: str) -> None:
    answer = greet(service, f'{{"name":"{name}"}}')
    assert (answer.status, answer.is_problem()) == (422, True)
    assert [field["pointer"] for field in answer.json()["errors"]] == ["#/name"]


@pytest.mark.contract("value out of range")
@pytest.mark.parametrize("name", ["x", "é" * 100, "🦫" * 100])
def test_values_at_the_ends_of_the_range_are_taken(service: RunningService, name: str) -> None:
    assert greet(service, f'{{"name":"{name}"}}').json() == {"message": f"Hello, {name}!"}


CHUNKED = (
    b"POST /v1/greetings HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.contract("body over `MAX_BODY_BYTES`")
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_too_large_a_body_closes_the_connection(binary: Path, announced: bool) -> None:
    body = b'{"name":"' + b"x" * 2000 + b'"}'
    with RunningService(binary, MAX_BODY_BYTES="1000") as service, raw_http.connect(service.address()) as connection:
        chunked = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        connection.sendall(raw_http.request("POST", GREETINGS, body) if announced else chunked)
        answer = raw_http.read_answer(connection)
        assert (answer.status, answer.is_problem()) == (413, True)
        assert answer.headers["Connection"] == "close"
        assert raw_http.is_closed(connection)


@pytest.mark.contract("over `MAX_IN_FLIGHT` requests at once")
def test_requests_over_the_limit_are_rejected_and_probes_are_not(binary: Path) -> None:
    with RunningService(binary, MAX_IN_FLIGHT="1") as service, raw_http.connect(service.address()) as busy:
        busy.sendall(raw_http.request("POST", GREETINGS, '{"name":"Ada"}')[:-1])
        time.sleep(0.1)
        refused = raw_http.ask(service.address(), "GET", "/version")
        assert (refused.status, refused.is_problem()) == (503, True)
        assert int(refused.headers["Retry-After"]) >= 1
        for probe in ("/livez", "/readyz"):
            assert raw_http.ask(service.address(), "GET", probe).status == 200
        busy.sendall(b"}")
        assert raw_http.read_answer(busy).status == 200
        assert raw_http.ask(service.address(), "GET", "/version").status == 200


LARGE = 50 << 20
FAULTY = """package api

import (
	"io"
	"net/http"
	"strings"
)

func faulty(r *Router) {
	r.Handle("GET /panic", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public")
		w.Header().Set("Set-Cookie", "session=1")
		panic("internal text")
	})
	r.Handle("GET /panic-late", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of ")
		panic("internal text")
	})
	r.Handle("GET /panic-hijacked", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, "half of ")
		panic("internal text")
	})
	r.Handle("POST /own", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	r.Handle("GET /twice", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusOK)
	})
	r.Handle("GET /abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	r.Handle("GET /large", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 50<<20))
	})
}
"""


@pytest.fixture(scope="module")
def faulty_binary(bake: Bake) -> Path:
    """A service whose team has added handlers that fail."""
    service = bake()
    (service.path / "internal/api/faulty.go").write_text(FAULTY)
    add_routes(service.path, "faulty(r)")
    return service.build()


@pytest.fixture
def faulty(faulty_binary: Path) -> Iterator[RunningService]:
    with RunningService(faulty_binary, WRITE_TIMEOUT="1s") as running:
        yield running


@pytest.mark.contract("a handler panics")
def test_a_panic_is_a_500_with_its_stack_in_the_log_once(faulty: RunningService) -> None:
    answer = raw_http.ask(faulty.address(), "GET", "/panic", None, "X-Request-ID: abc")
    assert (answer.status, answer.is_problem()) == (500, True)
    assert b"internal text" not in answer.body
    assert (answer.headers["Cache-Control"], answer.headers["Set-Cookie"]) == ("no-store", None)
    assert raw_http.ask(faulty.address(), "GET", "/livez").status == 200
    faulty.stop()
    (panic,) = (line for line in faulty.lines if "stack" in line)
    assert (panic["request_id"], panic["value"]) == ("abc", "internal text")
    assert "faulty.go" in panic["stack"]


@pytest.mark.contract("a handler panics")
@pytest.mark.parametrize(("path", "stacks"), [("/panic-late", 1), ("/panic-hijacked", 1), ("/abort", 0)])
def test_a_partial_response_ends_with_a_closed_connection(faulty: RunningService, path: str, stacks: int) -> None:
    with raw_http.connect(faulty.address()) as connection:
        connection.sendall(raw_http.request("GET", path))
        assert raw_http.is_cut(connection)
    assert raw_http.ask(faulty.address(), "GET", "/livez").status == 200
    faulty.stop()
    assert sum("stack" in line for line in faulty.lines) == stacks


@pytest.mark.contract("over `MAX_IN_FLIGHT` requests at once")
def test_a_panic_frees_its_place_in_flight(faulty_binary: Path) -> None:
    with RunningService(faulty_binary, MAX_IN_FLIGHT="1") as service:
        assert raw_http.ask(service.address(), "GET", "/panic").status == 500
        for path in ("/panic-late", "/abort"):
            with raw_http.connect(service.address()) as connection:
                connection.sendall(raw_http.request("GET", path))
                assert raw_http.is_cut(connection)
        assert raw_http.ask(service.address(), "GET", "/version").status == 200


@pytest.mark.contract("body over `MAX_BODY_BYTES`")
def test_a_handler_with_its_own_response_closes_the_connection_too(faulty_binary: Path) -> None:
    with (
        RunningService(faulty_binary, MAX_BODY_BYTES="10") as service,
        raw_http.connect(service.address()) as connection,
    ):
        body = b"b\r\n12345678901\r\n0\r\n\r\n"
        connection.sendall(b"POST /own HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        assert raw_http.read_answer(connection).status == 418
        assert raw_http.is_closed(connection)


@pytest.mark.contract("format")
def test_messages_of_net_http_are_in_the_log(faulty: RunningService) -> None:
    raw_http.ask(faulty.address(), "GET", "/twice")
    line = faulty.wait_for(lambda line: "superfluous" in line["msg"])
    assert line["level"] == "WARN"


@pytest.mark.contract("a browser's cross-origin state-changing request")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(["Sec-Fetch-Site: cross-site"], 403, id="another site"),
        pytest.param(["Origin: https://evil.example"], 403, id="an old browser on another site"),
        pytest.param(["Sec-Fetch-Site: same-origin"], 200, id="own page"),
        pytest.param([], 200, id="not a browser"),
    ],
)
def test_pages_of_other_sites_cannot_change_state(service: RunningService, headers: list[str], status: int) -> None:
    answer = greet(service, '{"name":"Ada"}', *headers)
    assert answer.status == status
    assert status == 200 or answer.is_problem()


@pytest.mark.contract("any error of a handler or middleware")
@pytest.mark.contract("any answer of a handler or middleware")
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("GET", "/", []), ("GET", "/none", []), ("PUT", "/", []), ("POST", GREETINGS, ["Sec-Fetch-Site: cross-site"])],
)
def test_every_response_has_a_request_id_and_nosniff(
    service: RunningService, method: str, path: str, headers: list[str]
) -> None:
    answer = raw_http.ask(service.address(), method, path, None, *headers)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-ID"]
    assert answer.status < 400 or answer.is_problem()


@pytest.mark.contract("slow header, slow body, slow reader")
@pytest.mark.parametrize("limit", ["READ_HEADER_TIMEOUT", "IDLE_TIMEOUT"])
def test_slow_and_idle_connections_are_closed(binary: Path, limit: str) -> None:
    limits = {"READ_HEADER_TIMEOUT": "1m", "READ_TIMEOUT": "1m", "IDLE_TIMEOUT": "1m", limit: "300ms"}
    with RunningService(binary, **limits) as service, raw_http.connect(service.address()) as connection:
        if limit == "IDLE_TIMEOUT":
            connection.sendall(raw_http.request("GET", "/version"))
        else:
            connection.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert raw_http.is_closed(connection, 10)


@pytest.mark.contract("slow header, slow body, slow reader")
def test_slow_clients_are_cut_off_and_others_do_not_notice(faulty_binary: Path) -> None:
    with (
        RunningService(faulty_binary, READ_TIMEOUT="600ms", WRITE_TIMEOUT="1s") as service,
        raw_http.asking_all_the_while(service.address()) as statuses,
        raw_http.connect(service.address()) as body,
        raw_http.connect(service.address()) as reader,
    ):
        body.sendall(raw_http.request("POST", GREETINGS, '{"name":"Ada"}')[:-1])
        reader.sendall(raw_http.request("GET", "/large"))

        late = raw_http.read_answer(body)
        assert (late.status, late.headers["Connection"]) == (408, "close")
        assert raw_http.is_closed(body)
        time.sleep(1)  # the reader reads nothing while its time runs out
        assert raw_http.received(reader) < LARGE
    assert set(statuses) == {200}
    assert len(statuses) > 10


@pytest.mark.contract("too many or too large headers")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([f"X-{n}: 1" for n in range(101)], id="too many"),
        pytest.param(["X: " + "x" * 100_000], id="too large"),
    ],
)
def test_a_flood_of_headers_is_refused(service: RunningService, headers: list[str]) -> None:
    assert raw_http.ask(service.address(), "GET", "/", None, *headers).status == 431


@pytest.mark.contract("what is refused before its body was read")
def test_a_refused_request_with_a_small_body_keeps_its_connection(service: RunningService) -> None:
    with raw_http.connect(service.address()) as connection:
        for _ in range(3):
            connection.sendall(raw_http.request("POST", "/nothing", "x" * 65536))
            assert raw_http.read_answer(connection, "POST").status == 404


@pytest.mark.contract("what is refused before its body was read")
def test_the_rest_of_a_late_body_is_never_taken_for_a_request(service: RunningService) -> None:
    hidden = raw_http.request("GET", "/version")
    header = f"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(hidden)}\r\n\r\n"
    with raw_http.connect(service.address()) as connection:
        begin = time.monotonic()
        connection.sendall(header.encode())
        assert raw_http.read_answer(connection, "POST").status == 404
        assert time.monotonic() - begin < 5  # READ_TIMEOUT is 10 s
        with suppress(ConnectionError):
            connection.sendall(hidden)
        assert raw_http.answers_until_closed(connection) == []


@pytest.mark.contract("over `MAX_CONNECTIONS`")
def test_connections_over_the_limit_wait_and_probes_still_work(binary: Path) -> None:
    with (
        RunningService(binary, MAX_CONNECTIONS="1") as service,
        raw_http.connect(service.address()) as first,
        raw_http.connect(service.address()) as second,
        raw_http.connect(service.address("ADMIN_ADDR")),
    ):
        first.sendall(raw_http.request("GET", "/version"))
        assert raw_http.read_answer(first).status == 200
        second.sendall(raw_http.request("GET", "/version"))
        second.settimeout(0.3)
        with pytest.raises(TimeoutError):
            second.recv(1)
        assert raw_http.ask(service.address("ADMIN_ADDR"), "GET", "/readyz").status == 200
        first.close()
        second.settimeout(10)
        assert raw_http.read_answer(second).status == 200


PAGE = "https://app.example.com"
FROM_PAGE = [f"Origin: {PAGE}", "Sec-Fetch-Site: cross-site"]


@pytest.mark.contract("`TRUSTED_ORIGINS`")
def test_pages_of_trusted_origins_may_send_requests(binary: Path) -> None:
    with RunningService(binary, TRUSTED_ORIGINS=PAGE) as service:
        wanted = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"]
        preflight = raw_http.ask(service.address(), "OPTIONS", GREETINGS, None, *FROM_PAGE, *wanted)
        assert preflight.status == 204
        allowed = {name: preflight.headers[f"Access-Control-Allow-{name}"] for name in ("Origin", "Methods", "Headers")}
        assert allowed == {"Origin": PAGE, "Methods": "POST", "Headers": "content-type"}
        answer = greet(service, '{"name":"Ada"}', *FROM_PAGE)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"], answer.headers["Vary"]) == (
            200,
            PAGE,
            "Origin",
        )
        other = greet(service, '{"name":"Ada"}', "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
        assert (other.status, other.headers["Access-Control-Allow-Origin"]) == (403, None)
        assert service.wait_for(lambda line: line.get("status") == 403)["refused_by"] == "TRUSTED_ORIGINS"


@pytest.mark.contract("`TRUSTED_ORIGINS`")
def test_no_origin_is_trusted_by_default(service: RunningService) -> None:
    assert greet(service, '{"name":"Ada"}', *FROM_PAGE).status == 403


@pytest.mark.contract("HTTP/2")
def test_http2_is_off(service: RunningService) -> None:
    with raw_http.connect(service.address()) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert not connection.recv(9).startswith(b"\0\0")  # where a SETTINGS frame begins
