"""Clients in several languages that call the example's procedures in the same words, so that one test fits them all."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple, Protocol

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message_factory import GetMessages
from google.protobuf.wrappers_pb2 import StringValue, UInt32Value

from tests.support.baking import BakedService
from tests.support.grpc_clients import SERVICE, text
from tests.support.machine import skip
from tests.support.raw_http import Address

GRPC_GO = "google.golang.org/grpc@v1.85.0"
CONNECT_ES = [  # the last ones for Node.js 20
    "@bufbuild/protobuf@2.17.0",
    "@connectrpc/connect@2.1.2",
    "@connectrpc/connect-node@2.1.2",
    "@connectrpc/connect-web@2.1.2",
]
CODES = {code.value[0]: code.name for code in grpc.StatusCode}
SETTLED = {grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE}
HEALTHS = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]


@dataclass(frozen=True)
class Call:
    """What a client is asked to call. It knows the method Unknown, but the service does not."""

    method: str
    name: str = "Ada"
    count: int = 0
    seconds: float = 10  # until the deadline


class Outcome(NamedTuple):
    """What a client tells of a call."""

    messages: list[str]
    code: str = "OK"
    detail: str = ""
    violations: tuple[tuple[str, str], ...] = ()  # of google.rpc.BadRequest


class Caller(Protocol):
    def call(self, address: Address, call: Call) -> Outcome: ...


class HealthCaller(Protocol):
    """A client that can look at the health of a name.

    It yields the answers to Check and Watch as they come, then the code. The answers to States are two states of a
    connection that checks health by itself: the one that it comes to, and the next one.
    """

    def answers(self, address: Address, method: str, name: str) -> Iterator[str]: ...


class Program:
    """A program that is sent calls as lines of JSON, and answers each by lines: its messages, and a last one."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def lines(self, address: Address, call: Call, **more: str) -> Iterator[dict[str, Any]]:
        assert self._process.stdin
        assert self._process.stdout
        sent = {"address": "{}:{}".format(*address), **asdict(call), **more}
        print(json.dumps(sent), file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            told = json.loads(line)
            yield told
            if "code" in told:
                return

    def outcome(self, address: Address, call: Call, **more: str) -> Outcome:
        *messages, end = self.lines(address, call, **more)
        return outcome([line["message"] for line in messages], end["code"], end["detail"], end["violations"] or [])

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def outcome(messages: list[str], code: int, detail: str, violations: Iterable[dict[str, str]]) -> Outcome:
    return Outcome(messages, CODES[code], detail, tuple((each["field"], each["description"]) for each in violations))


class GrpcGo:
    """The program in tests/support/grpcgo."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def call(self, address: Address, call: Call) -> Outcome:
        return self._program.outcome(address, call)

    def answers(self, address: Address, method: str, name: str) -> Iterator[str]:
        for line in self._program.lines(address, Call(method, name)):
            yield line["message"] if "message" in line else CODES[line["code"]]


class ConnectES:
    """The program in tests/support/connectes, with one of its transports. Those "in a page" have an origin."""

    def __init__(self, program: Program, transport: str, origin: str = "") -> None:
        self._program, self._choices = program, {"transport": transport, "origin": origin}

    def call(self, address: Address, call: Call) -> Outcome:
        return self._program.outcome(address, call, **self._choices)


class Grpcurl:
    """The command."""

    def __init__(self, descriptors: Path) -> None:
        self._options = ["-plaintext", "-protoset", str(descriptors), "-format-error"]

    def call(self, address: Address, call: Call) -> Outcome:
        request = {"name": call.name, **({"count": call.count} if call.count else {})}
        options = [*self._options, "-max-time", str(call.seconds), "-d", json.dumps(request)]
        target = ["{}:{}".format(*address), f"{SERVICE}/{call.method}"]
        done = subprocess.run(["grpcurl", *options, *target], capture_output=True, text=True, timeout=30)
        messages = [answer["message"] for answer in values(done.stdout)]
        if not done.returncode:
            return Outcome(messages)
        (error,) = values(done.stderr)
        violations = [each for detail in error.get("details", []) for each in detail.get("fieldViolations", [])]
        return outcome(messages, error["code"], error["message"], violations)


def values(text: str) -> Iterator[Any]:
    """Yield the values of a text that is one of JSON after the other."""
    while text := text.lstrip():
        value, end = json.JSONDecoder().raw_decode(text)
        yield value
        text = text[end:]


class GrpcIO:
    """grpcio, in this process."""

    def __init__(self, descriptors: Path) -> None:
        self._messages: dict[str, Any] = GetMessages(FileDescriptorSet.FromString(descriptors.read_bytes()).file)

    def call(self, address: Address, call: Call) -> Outcome:
        messages: list[str] = []
        request = text(call.name, call.count)
        try:
            for answer in received(address, f"/{SERVICE}/{call.method}", request, StringValue, call.seconds):
                messages.append(answer.value)
        except grpc.RpcError as error:
            return Outcome(messages, error.code().name, error.details() or "", self._violations(error))
        return Outcome(messages)

    def _violations(self, error: grpc.RpcError) -> tuple[tuple[str, str], ...]:
        trailers: Any = error.trailing_metadata()
        status = dict(trailers).get("grpc-status-details-bin", b"")
        bad = self._messages["google.rpc.BadRequest"]()
        for detail in self._messages["google.rpc.Status"].FromString(status).details:
            assert detail.Unpack(bad)
        return tuple((each.field, each.description) for each in bad.field_violations)

    def answers(self, address: Address, method: str, name: str) -> Iterator[str]:
        if method == "States":
            yield from states(address, name)
            return
        try:
            for answer in received(address, f"/grpc.health.v1.Health/{method}", text(name), UInt32Value, 10):
                yield HEALTHS[answer.value]
        except grpc.RpcError as error:
            yield error.code().name
        else:
            yield "OK"


def received(address: Address, procedure: str, request: bytes, answers: Any, seconds: float) -> Iterator[Any]:
    """Yield what comes, on a connection of its own. Raises grpc.RpcError."""
    with grpc.insecure_channel("{}:{}".format(*address)) as channel:
        if procedure.endswith(("StreamGreetings", "Watch")):
            stream: Any = channel.unary_stream(procedure, bytes, answers.FromString)
            yield from stream(request, timeout=seconds)
        else:
            call: Any = channel.unary_unary(procedure, bytes, answers.FromString)
            yield call(request, timeout=seconds)


def states(address: Address, name: str) -> Iterator[str]:
    """Yield two states of a connection that checks health, not those on the way to them."""
    checking = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": name}}
    options = [("grpc.service_config", json.dumps(checking))]
    came: SimpleQueue[grpc.ChannelConnectivity] = SimpleQueue()
    with grpc.insecure_channel("{}:{}".format(*address), options) as channel:
        channel.subscribe(came.put, try_to_connect=True)
        for _ in range(2):
            while (state := came.get(timeout=10)) not in SETTLED:
                pass
            yield state.name
    yield "OK"


def build_grpc_go(service: BakedService, folder: Path) -> None:
    """Build grpcgo in a copy of the service, and let it write descriptors.binpb."""
    copy = BakedService(Path(shutil.copytree(service.path, folder / "my-service")))
    shutil.copytree(Path(__file__).parent / "grpcgo", copy.path / "grpcgo")
    try:
        copy.run("go", "get", GRPC_GO)
    except AssertionError as failure:
        skip(f"grpc-go cannot be downloaded: {str(failure).splitlines()[-1]}")
    copy.run("go", "build", "-o", str(folder), "./grpcgo")
    descriptors = subprocess.run([folder / "grpcgo", "descriptors"], stdout=subprocess.PIPE, check=True)
    (folder / "descriptors.binpb").write_bytes(descriptors.stdout)


def install_connect_es(descriptors: Path, folder: Path) -> None:
    """Install connect-es beside the program that uses it."""
    for file in (*Path(__file__).parent.glob("connectes/*.mjs"), descriptors):
        shutil.copy(file, folder)
    command = ["npm", "install", "--engine-strict", "--no-audit", "--no-fund", "--no-save", *CONNECT_ES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        skip(f"npm cannot install connect-es: {done.stderr.splitlines()[0]}")
