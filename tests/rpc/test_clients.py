"""Clients that teams use, each by its own library: what they get, what pages get, and what they learn of health."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.callers import (
    Call,
    Caller,
    ConnectES,
    GrpcGo,
    GrpcIO,
    Grpcurl,
    HealthCaller,
    Program,
    build_grpc_go,
    install_connect_es,
)
from tests.support.fixtures import Once
from tests.support.grpc_clients import SERVICE
from tests.support.machine import skip
from tools.running_service import Line, RunningService

pytestmark = pytest.mark.long

GREETING = "Hello, Ada!"
BAD = (("name", "has to be 1 to 100 characters, none of them a control character"),)
TRANSPORTS = ["gRPC", "gRPC-Web by HTTP/1", "gRPC-Web by HTTP/2", "Connect by HTTP/1", "Connect by HTTP/2"]
PAGE = "https://app.example.com"


@pytest.fixture(scope="module")
def built(once: Once, rpc_service: BakedService) -> Path:
    """The folder of grpcgo and descriptors.binpb."""
    return once("grpc-go", lambda folder: build_grpc_go(rpc_service, folder))


@pytest.fixture
def grpc_go(built: Path) -> Iterator[GrpcGo]:
    with Program(built / "grpcgo") as program:
        yield GrpcGo(program)


@pytest.fixture(scope="module")
def grpcio(built: Path) -> GrpcIO:
    return GrpcIO(built / "descriptors.binpb")


@pytest.fixture(scope="module")
def grpcurl_command() -> None:
    if not shutil.which("grpcurl"):
        skip("there is no grpcurl command")


@pytest.fixture(scope="module")
def grpcurl(grpcurl_command: None, built: Path) -> Grpcurl:
    return Grpcurl(built / "descriptors.binpb")


@pytest.fixture(scope="module")
def connect_es(once: Once, built: Path) -> Iterator[Program]:
    if not shutil.which("node") or not shutil.which("npm"):
        skip("there is no node or no npm command")
    folder = once("connect-es", lambda folder: install_connect_es(built / "descriptors.binpb", folder))
    with Program("node", folder / "client.mjs") as program:
        yield program


@pytest.fixture(params=["grpcurl", "grpc_go", "grpcio", *(f"connect_es: {name}" for name in TRANSPORTS)])
def client(request: pytest.FixtureRequest) -> Caller:
    """Each client, by each of its protocols."""
    name, _, transport = request.param.partition(": ")
    found: Any = request.getfixturevalue(name)
    return ConnectES(found, transport) if transport else found


@pytest.fixture(params=["grpc_go", "grpcio"])
def watcher(request: pytest.FixtureRequest) -> HealthCaller:
    """The clients that balance load by health."""
    found: HealthCaller = request.getfixturevalue(request.param)
    return found


@pytest.mark.contract("the protocols")
def test_a_call_gets_a_greeting(client: Caller, running: RunningService) -> None:
    assert client.call(running.address(), Call("Greet")) == ([GREETING], "OK", "", ())


@pytest.mark.contract("the protocols")
def test_a_stream_gets_as_many_as_it_asked_for(client: Caller, running: RunningService) -> None:
    assert client.call(running.address(), Call("StreamGreetings", count=2)) == ([GREETING] * 2, "OK", "", ())


@pytest.mark.contract("errors of procedures")
@pytest.mark.parametrize("method", ["Greet", "StreamGreetings"])
def test_a_bad_name_is_named(client: Caller, running: RunningService, method: str) -> None:
    refused = client.call(running.address(), Call(method, "a\nb"))
    assert refused == ([], "INVALID_ARGUMENT", "The request has values out of range.", BAD)


@pytest.mark.contract("what is refused")
def test_a_method_that_the_service_does_not_have_is_unimplemented(client: Caller, running: RunningService) -> None:
    assert client.call(running.address(), Call("Unknown")).code == "UNIMPLEMENTED"


@pytest.mark.contract("the time of a call")
def test_the_clients_deadline_ends_a_stream_which_is_no_failure(client: Caller, running: RunningService) -> None:
    ended = client.call(running.address(), Call("StreamGreetings", seconds=0.5))
    assert (ended.messages, ended.code) == ([GREETING], "DEADLINE_EXCEEDED")
    line = running.wait_for(is_of("StreamGreetings"))
    assert line["code"] in {"DEADLINE_EXCEEDED", "CANCELLED"}  # the service may learn first that the client has left
    assert line["level"] == "INFO"


def is_of(method: str) -> Callable[[Line], bool]:
    return lambda line: line.get("route") == f"/{SERVICE}/{method}"


@pytest.mark.contract("a call")
def test_each_call_is_one_line_of_the_log(client: Caller, running: RunningService) -> None:
    calls = [Call("Greet"), Call("Greet", ""), Call("StreamGreetings", count=1), Call("Unknown")]
    for call in calls:
        client.call(running.address(), call)
    running.stop()
    assert [outcome_in(line) for line in running.lines if line["msg"] == "request"] == [
        (f"/{SERVICE}/Greet", "OK", 200),
        (f"/{SERVICE}/Greet", "INVALID_ARGUMENT", 400),
        (f"/{SERVICE}/StreamGreetings", "OK", 200),
        (None, "UNIMPLEMENTED", 404),
    ]


def outcome_in(line: Line) -> tuple[str | None, str, int]:
    return line.get("route"), line["code"], line["status"]


@pytest.mark.contract("health by gRPC")
def test_health_is_that_of_the_service_and_of_each_of_its_procedures(
    watcher: HealthCaller, running: RunningService
) -> None:
    running.wait_until_ready()
    health = {
        name: list(watcher.answers(running.address(), "Check", name))
        for name in ("", "my-service", SERVICE, "other.v1.Other")
    }
    known = ["SERVING", "OK"]
    assert health == {"": known, "my-service": known, SERVICE: known, "other.v1.Other": ["NOT_FOUND"]}


@pytest.mark.contract("health by gRPC")
def test_a_watch_tells_that_the_service_will_stop_and_ends_with_it(watcher: HealthCaller, rpc_binary: Path) -> None:
    with RunningService(rpc_binary, SHUTDOWN_DELAY="3s") as service:
        service.wait_until_ready()
        watched = watcher.answers(service.address(), "Watch", "my-service")
        assert next(watched) == "SERVING"
        service.drain()
        since = time.monotonic()
        assert next(watched) == "NOT_SERVING"
        assert time.monotonic() - since < 2
        assert list(watched) == ["UNAVAILABLE"]
        assert time.monotonic() - since >= 2.9
        assert service.wait() == 0


@pytest.mark.contract("health by gRPC")
def test_a_client_that_checks_health_leaves_before_the_service_stops(watcher: HealthCaller, rpc_binary: Path) -> None:
    with RunningService(rpc_binary, SHUTDOWN_DELAY="1m") as service:
        service.wait_until_ready()
        states = watcher.answers(service.address(), "States", "my-service")
        assert next(states) == "READY"
        service.drain()
        assert next(states) == "TRANSIENT_FAILURE"
        assert list(states) == ["OK"]


@pytest.mark.contract("reflection")
def test_reflection_describes_the_procedures_to_administrators_alone(
    grpcurl_command: None, running: RunningService
) -> None:
    assert asked(running, "ADMIN_ADDR", "list") == f"{SERVICE}\n"
    described = asked(running, "ADMIN_ADDR", "describe", f"{SERVICE}.Greet")
    assert "rpc Greet ( .greetings.v1.GreetRequest ) returns ( .greetings.v1.GreetResponse );" in described
    assert "does not support the reflection API" in asked(running, "PORT", "list")


def asked(service: RunningService, variable: str, *words: str) -> str:
    address = "{}:{}".format(*service.address(variable))
    command = ["grpcurl", "-plaintext", address, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30).stdout


in_a_page = pytest.mark.parametrize("transport", ["gRPC-Web in a page", "Connect in a page"])


@in_a_page
@pytest.mark.contract("`TRUSTED_ORIGINS`")
def test_a_page_of_a_trusted_origin_can_read_answers_and_errors(
    connect_es: Program, rpc_binary: Path, transport: str
) -> None:
    page = ConnectES(connect_es, transport, PAGE)
    with RunningService(rpc_binary, TRUSTED_ORIGINS=PAGE) as service:
        assert page.call(service.address(), Call("Greet")).messages == [GREETING]
        assert page.call(service.address(), Call("StreamGreetings", count=2)).messages == [GREETING] * 2
        refused = page.call(service.address(), Call("Greet", ""))
        assert refused == ([], "INVALID_ARGUMENT", "The request has values out of range.", BAD)


@in_a_page
@pytest.mark.contract("`TRUSTED_ORIGINS`")
def test_a_page_of_another_origin_gets_no_answer(connect_es: Program, rpc_binary: Path, transport: str) -> None:
    page = ConnectES(connect_es, transport, "https://other.example.com")
    with RunningService(rpc_binary, TRUSTED_ORIGINS=PAGE) as service:
        assert "the preflight was refused" in page.call(service.address(), Call("Greet")).detail


@pytest.mark.contract("`TRUSTED_ORIGINS`")
@pytest.mark.parametrize(
    "protocol",
    [
        ("Content-Type: application/grpc-web+proto",),
        ("Content-Type: application/connect+proto",),
        ("Content-Type: application/json", "Connect-Protocol-Version: 1"),
    ],
    ids=["gRPC-Web", "a stream of Connect", "Connect"],
)
def test_a_call_from_another_origin_without_a_preflight_is_refused(rpc_binary: Path, protocol: tuple[str, ...]) -> None:
    with RunningService(rpc_binary, TRUSTED_ORIGINS=PAGE) as service:
        origin = "Origin: https://other.example.com"
        answer = raw_http.ask(service.address(), "POST", f"/{SERVICE}/Greet", "{}", origin, *protocol)
        assert "Access-Control-Allow-Origin" not in answer.headers
        line = service.wait_for(is_of("Greet"))
        assert outcome_in(line) == (f"/{SERVICE}/Greet", "PERMISSION_DENIED", 403)
        assert line["refused_by"] == "TRUSTED_ORIGINS"
