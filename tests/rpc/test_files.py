"""What the choice of calls adds, and what its page says about it, carried out."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.documents import blocks
from tests.support.fixtures import Bake, Lint
from tests.support.machine import skip
from tests.support.repository import init_repository
from tests.support.team_edits import add_routes, replace, write


@pytest.fixture
def make_proto() -> list[str]:
    """The words of "make proto", with an installed buf. By go run, it takes minutes to compile."""
    return ["proto", "BUF=buf"] if shutil.which("buf") else skip("there is no buf command")


@pytest.fixture
def copy(rpc_service: BakedService, tmp_path: Path) -> BakedService:
    """A copy of the service, to change."""
    return BakedService(Path(shutil.copytree(rpc_service.path, tmp_path / "my-service")))


@pytest.mark.contract("a service without calls")
def test_without_calls_nothing_speaks_of_them(default: BakedService) -> None:
    trace = re.compile(r"grpc|connectrpc|protobuf|\brpc\b|UnencryptedHTTP2", re.IGNORECASE)
    about_http2 = "internal/httpserver/server_test.go"  # the trunk is ready for HTTP/2, and its test turns it on
    names = default.files() - {"bin/service", about_http2, ".cruft.json"}
    assert [name for name in names if trace.search(default.read(name))] == []


@pytest.mark.long
@pytest.mark.contract("generated code")
@pytest.mark.parametrize("module", ["github.com/acme/my-service", "a.example/Deep/er/service", "zeta.example/service"])
def test_the_generated_code_is_current(bake: Bake, make_proto: list[str], modules: None, module: str) -> None:
    service = bake(rpc="connect", module_path=module)
    before = {name: service.read(name) for name in service.files()}
    service.make(*make_proto)
    assert {name: service.read(name) for name in service.files()} == before


@pytest.mark.long
def test_a_method_is_added_in_the_four_steps_of_the_page(copy: BakedService, make_proto: list[str], lint: Lint) -> None:
    in_proto, generate, in_go, test = re.split(r"^\d\. ", section(copy, "Add a method"), flags=re.MULTILINE)[1:5]
    proto = copy.path / "proto/greetings/v1/greetings.proto"
    method, messages = blocks(textwrap.dedent(f"   {in_proto}"), "proto")
    replace(proto, "StreamGreetingsResponse);\n", f"StreamGreetingsResponse);\n\n{textwrap.indent(method, '  ')}")
    append(proto, f"\n{messages}")
    assert "`make proto`" in generate
    copy.make(*make_proto)
    append(copy.path / "internal/api/greetings_rpc.go", "\n" + block(in_go, "go"))
    assert "`internal/api/greetings_rpc_test.go`" in test
    append(copy.path / "internal/api/greetings_rpc_test.go", TEST)
    copy.make("test")
    assert "0 issues" in lint(copy)


TEST = """
func TestPart(t *testing.T) {
	t.Parallel()
	response, err := greetingClient(t).Part(t.Context(), &greetingsv1.PartRequest{Name: "Ada"})
	if got, want := response.GetMessage(), "Goodbye, Ada."; err != nil || got != want {
		t.Errorf("message %q, error %v, want %q", got, err, want)
	}
}
"""


def section(service: BakedService, title: str) -> str:
    """Return a section of the page."""
    return service.read("docs/rpc.md").partition(f"## {title}\n")[2].partition("\n## ")[0]


def block(text: str, language: str) -> str:
    """Return the block of a language in a text whose lines are indented."""
    (found,) = blocks(textwrap.dedent(f"   {text}"), language)
    return found


def append(file: Path, text: str) -> None:
    write(file, file.read_text() + text)


@pytest.mark.long
def test_a_service_of_the_teams_own_takes_the_place_of_the_example(
    copy: BakedService, make_proto: list[str], lint: Lint
) -> None:
    write(copy.path / "proto/orders/v1/orders.proto", ORDERS)
    copy.make(*make_proto)
    write(copy.path / "internal/api/orders.go", PROCEDURES)
    add_routes(copy.path, block(section(copy, "Add a method").rpartition("1. ")[2], "go"))
    routes = copy.path / "internal/api/routes.go"
    imported = '"github.com/acme/my-service/internal/gen/orders/v1/ordersv1connect"'
    replace(routes, "package api\n", f"package api\n\nimport {imported}\n")
    shutil.rmtree(copy.path / "proto/greetings")
    shutil.rmtree(copy.path / "internal/gen/greetings")
    for file in copy.path.glob("internal/api/greetings_rpc*"):
        file.unlink()
    copy.make("test")
    assert "0 issues" in lint(copy)


ORDERS = """syntax = "proto3";

package orders.v1;

service OrderService {
  rpc Place(PlaceRequest) returns (PlaceResponse);
}

message PlaceRequest {}

message PlaceResponse {}
"""
PROCEDURES = """package api

import "github.com/acme/my-service/internal/gen/orders/v1/ordersv1connect"

type orderProcedures struct {
	*Service
	ordersv1connect.UnimplementedOrderServiceHandler
}
"""


@pytest.mark.long
def test_a_change_that_breaks_clients_is_found(copy: BakedService) -> None:
    if not shutil.which("buf"):
        skip("there is no buf command")
    breaking = ["make", "proto-breaking", "BUF=buf", "AGAINST=HEAD"]
    init_repository(copy.path)
    copy.run(*breaking)
    replace(copy.path / "proto/greetings/v1/greetings.proto", "uint32 count = 2;", "uint32 count = 3;")
    assert 'Previously present field "2"' in copy.run(*breaking, status=2)
    copy.run(*breaking[:3], "AGAINST=nothing", status=2)
