"""`make dev` serves a change within seconds, waits for the repair of a mistake, and leaves nothing running."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.development import GREETING, Development
from tests.support.fixtures import Bake
from tests.support.machine import go_environment, skip
from tests.support.prometheus import wait_until
from tests.support.team_edits import replace
from tools.running_service import free_port

pytestmark = pytest.mark.long


@pytest.fixture
def checkout(bake: Bake) -> BakedService:
    service = bake()
    air = re.search(r"^AIR += (.*)$", service.read("Makefile"), re.MULTILINE)
    assert air
    try:
        service.run(*air[1].split(), "-v")
    except AssertionError as failure:
        skip(f"air cannot be downloaded: {failure}")
    (service.path / ".env").write_text("MAX_BODY_BYTES=10 # small\n")
    return service


@pytest.fixture
def development(checkout: BakedService) -> Iterator[Development]:
    port = free_port()
    with Development(checkout.path, port, go_environment(), f"PORT={port}") as development:
        yield development


def test_a_change_is_served_and_a_mistake_waits_for_its_repair(
    checkout: BakedService, development: Development
) -> None:
    files = {name for name in checkout.files() if not name.startswith("bin/")}
    development.wait_for("Request Entity Too Large", "POST", "/v1/greetings", GREETING)
    (checkout.path / ".env").write_text("MAX_BODY_BYTES=1000\n")
    development.wait_for_greeting("Hello, Ada!")

    greetings = checkout.path / "internal/api/greetings.go"
    replace(greetings, '"Hello, "', '"Good morning, "')
    development.wait_for_greeting("Good morning, Ada!")

    replace(greetings, "type greeting struct", "type greeting struck")
    development.wait_for_line("syntax error")
    replace(greetings, "type greeting struck", "type greeting struct")
    development.wait_for_greeting("Good morning, Ada!")

    development.interrupt()
    wait_until(lambda: not development.processes(), development.processes)
    assert {name for name in checkout.files() if not name.startswith("bin/")} == files


def test_a_request_in_flight_is_finished_before_the_next_start(
    checkout: BakedService, development: Development
) -> None:
    development.wait_for("my-service", "GET", "/")
    (checkout.path / ".env").write_text("MAX_BODY_BYTES=1000\n")
    development.wait_for_greeting("Hello, Ada!")
    drained = development.printed().count("draining")
    sent = raw_http.request("POST", "/v1/greetings", GREETING)
    with raw_http.connect(development.address) as connection:
        connection.sendall(sent[:-1])
        replace(checkout.path / "internal/api/greetings.go", '"Hello, "', '"Good morning, "')
        wait_until(lambda: development.printed().count("draining") > drained, development.printed)
        connection.sendall(sent[-1:])
        assert raw_http.read_answer(connection).json() == {"message": "Hello, Ada!"}
    development.wait_for_greeting("Good morning, Ada!")
