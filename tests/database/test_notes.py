"""The example: notes, with pages, versions and idempotency keys."""

from __future__ import annotations

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support import raw_http
from tests.support.commands import installed
from tests.support.stateful import NOTES, Migrated, get, post, wait_until_ready

pytestmark = pytest.mark.long

NOBODY = "f7a3a844-dc98-40a3-9dd2-29a494214685"


CHECKS = """not_a_server_error status_code_conformance content_type_conformance response_headers_conformance
response_schema_conformance unsupported_method"""


def test_schemathesis_finds_nothing_that_contradicts_the_description(migrated: Migrated, tmp_path: Path) -> None:
    """The other checks want a PUT with any ETag to succeed, and `limit=` to be refused."""
    with migrated.running() as service:
        wait_until_ready(service)
        description = tmp_path / "openapi.yaml"
        description.write_bytes(get(service, "/openapi.yaml").body)
        command = [installed("schemathesis"), "run", str(description), "--url", service.url, "--seed", "1"]
        command += [
            "--checks",
            ",".join(CHECKS.split()),
            "--max-examples",
            "20",
            "--phases",
            "examples,coverage,fuzzing",
        ]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert run.returncode == 0, run.stdout
        assert "Tested: 11" in run.stdout


def titles(answer: raw_http.Answer) -> list[str]:
    return [note["title"] for note in answer.json()["notes"]]


def put(address: raw_http.Address, path: str, title: str, *headers: str) -> raw_http.Answer:
    return raw_http.ask(address, "PUT", path, json.dumps({"title": title}), *headers)


def test_a_note_lives_from_its_creation_to_its_end(migrated: Migrated) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        created = post(service, "Milk", text="Two litres")
        note, path = created.json(), created.headers["Location"]
        assert created.status == 201
        assert set(note) == {"id", "title", "text", "created_at", "updated_at"}
        assert path == f"{NOTES}/{note['id']}"
        read = get(service, path)
        assert (read.json(), read.headers["ETag"]) == (note, created.headers["ETag"])
        changed = put(service.address(), path, "Bread", f"If-Match: {read.headers['ETag']}")
        assert (changed.status, changed.json()["title"]) == (200, "Bread")
        assert changed.headers["ETag"] != read.headers["ETag"]
        assert put(service.address(), path, "Eggs", f"If-Match: {read.headers['ETag']}").status == 412
        assert put(service.address(), path, "Eggs").status == 428
        assert raw_http.ask(service.address(), "DELETE", path).status == 204
        assert raw_http.ask(service.address(), "DELETE", path).status == 404
        assert get(service, path).is_problem()


def test_of_many_that_change_the_same_version_one_succeeds(migrated: Migrated) -> None:
    with migrated.running() as service, ThreadPoolExecutor(20) as pool:
        wait_until_ready(service)
        created = post(service, "Milk")
        condition = f"If-Match: {created.headers['ETag']}"
        changed = pool.map(lambda n: put(service.address(), created.headers["Location"], str(n), condition), range(20))
        assert sorted(answer.status for answer in changed) == [200] + [412] * 19


def test_a_title_is_taken_once(migrated: Migrated) -> None:
    with migrated.running() as service, ThreadPoolExecutor(20) as pool:
        wait_until_ready(service)
        statuses = sorted(answer.status for answer in pool.map(lambda _: post(service, "Milk"), range(20)))
        assert statuses == [201] + [409] * 19


def test_pages_have_each_note_once_whatever_happens_between_them(migrated: Migrated) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        paths = [post(service, str(number)).headers["Location"] for number in range(10)]
        page = get(service, f"{NOTES}?limit=4")
        seen = titles(page)
        post(service, "new")
        raw_http.ask(service.address(), "DELETE", paths[6])  # the last one of the page
        raw_http.ask(service.address(), "DELETE", paths[3])
        while cursor := page.json().get("next_cursor"):
            page = get(service, f"{NOTES}?limit=4&cursor={cursor}")
            seen += titles(page)
        assert seen == ["9", "8", "7", "6", "5", "4", "2", "1", "0"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=1e3", "cursor=x", "cursor=%00", "cursor=" + "A" * 60])
def test_bad_parameters_are_refused(migrated: Migrated, query: str) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        answer = get(service, f"{NOTES}?{query}")
        assert answer.status == 400
        assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


def test_a_cursor_cannot_be_changed(migrated: Migrated) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        for title in ("a", "b"):
            post(service, title)
        cursor = get(service, f"{NOTES}?limit=1").json()["next_cursor"]
        signed = bytearray(base64.urlsafe_b64decode(cursor + "==="))
        signed[-3] ^= 1
        forged = base64.urlsafe_b64encode(signed).decode().rstrip("=")
        assert get(service, f"{NOTES}?cursor={forged}").status == 400


def test_any_text_that_is_allowed_comes_back_as_it_was_sent(migrated: Migrated) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        for title in ("é", "👩‍👩‍👧", "'; DROP TABLE notes; --", "$1", "%s", "\\", "x" * 200, "é" * 200):
            created = post(service, title, text=f"{title}\n\t{title}")
            assert created.status == 201
            read = get(service, created.headers["Location"]).json()
            assert (read["title"], read["text"]) == (title, f"{title}\n\t{title}")


@pytest.mark.parametrize(
    ("title", "text"), [("", ""), ("x" * 201, ""), ("a\x00", ""), ("a\n", ""), ("a", "\x00"), ("a", "x" * 10001)]
)
def test_bad_notes_are_refused(migrated: Migrated, title: str, text: str) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        assert post(service, title, text=text).status == 422


@pytest.mark.parametrize("name", ["1", "null", "x" * 300, "%00", NOBODY, NOBODY.upper(), "..%2f"])
def test_what_is_no_note_is_not_found(migrated: Migrated, name: str) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        assert get(service, f"{NOTES}/{name}").status == 404


@pytest.mark.contract("an idempotency key")
def test_a_request_that_is_sent_again_is_done_once(migrated: Migrated) -> None:
    key = f'Idempotency-Key: "{uuid4()}"'
    with migrated.running() as service:
        wait_until_ready(service)
        first, second = post(service, "Milk", key), post(service, "Milk", key)
    with migrated.running() as service:
        wait_until_ready(service)
        third = post(service, "Milk", key)
        for answer in (second, third):
            assert (answer.status, answer.body) == (201, first.body)
            assert answer.headers["Location"] == first.headers["Location"]
        other = post(service, "Bread", key)
        assert (other.status, other.is_problem()) == (422, True)
        assert migrated.query("SELECT count(*) FROM notes") == "1"
        migrated.query("UPDATE idempotency_keys SET expires_at = now()")
        assert post(service, "Bread", key).status == 201


@pytest.mark.contract("an idempotency key")
def test_of_many_requests_with_a_key_one_does_the_work(migrated: Migrated) -> None:
    with migrated.running() as service, ThreadPoolExecutor(50) as pool:
        wait_until_ready(service)
        answers = list(pool.map(lambda _: post(service, "Milk", "Idempotency-Key: a"), range(50)))
        assert {answer.status for answer in answers} <= {201, 409}
        assert len({answer.body for answer in answers if answer.status == 201}) == 1
        assert migrated.query("SELECT count(*) FROM notes") == "1"


def test_a_request_that_failed_may_be_sent_again_with_its_key(migrated: Migrated) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        path = post(service, "Milk").headers["Location"]
        assert post(service, "Milk", "Idempotency-Key: a").status == 409
        raw_http.ask(service.address(), "DELETE", path)
        assert post(service, "Milk", "Idempotency-Key: a").status == 201
