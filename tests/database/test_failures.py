"""What a service does while its database is down, slow, full or frozen: docs/database.md in the service."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.postgres import HOST, PgBouncer
from tests.support.prometheus import wait_until
from tests.support.stateful import NOTES, OTHERS, Migrated, get, post, ready, wait_until_ready
from tools.running_service import RunningService, free_port

pytestmark = pytest.mark.long


def reasons(service: RunningService) -> list[str]:
    """Return what the log says of the database, a word for each change."""
    changes = [line for line in service.lines if line["msg"].startswith("database ")]
    return [line.get("reason", "available") for line in changes]


def wait_until_available(service: RunningService) -> None:
    """Wait until the log says that the database can be used. A line comes a moment after what it tells."""
    wait_until(lambda: reasons(service)[-1:] == ["available"], lambda: reasons(service))


def is_refusal(answer: raw_http.Answer) -> bool:
    return answer.status == 503 and answer.is_problem() and answer.headers["Retry-After"] == "1"


@pytest.mark.contract("a database that is not there at the start")
def test_a_database_that_comes_late_is_waited_for(own_server: Migrated) -> None:
    own_server.server.stop()
    with own_server.running() as service:
        for _ in range(20):
            answer = ready(service)
            assert answer.status == 503
            assert "database" in answer.json()["detail"]
            assert raw_http.ask(service.address(), "GET", "/livez").status == 200
            assert raw_http.ask(service.address(), "GET", "/version").status == 200
            assert is_refusal(get(service))
            time.sleep(0.1)
        own_server.server.start()
        wait_until_ready(service, seconds=5)
        assert get(service).status == 200
        wait_until_available(service)
        assert [reason for reason in reasons(service) if not reason.startswith("refused")] == [
            "not reachable",
            "available",
        ]


@pytest.mark.contract("a database that is not there at the start")
def test_the_log_says_why_a_database_cannot_be_used(stateful: BakedService, migrated: Migrated) -> None:
    server = migrated.server
    server.query(f"CREATE DATABASE {migrated.name}_empty")
    cases = {
        "wrong user or password": server.url(migrated.name, password="wrong"),
        "unknown database": server.url("nothing"),
        "schema too old": server.url(f"{migrated.name}_empty"),
        "not reachable": f"postgres://app@{HOST}:{free_port()}/app",
    }
    for reason, url in cases.items():
        with migrated.running(DATABASE_URL=url) as service:
            time.sleep(2)
            assert ready(service).status == 503
            assert is_refusal(get(service))
            assert reasons(service) == [reason]
            assert "secret" not in str(service.lines)
            assert service.stop() == 0


@pytest.mark.contract("a database that goes away later")
def test_a_database_that_goes_away_is_a_503_and_no_reason_to_leave_the_load_balancer(own_server: Migrated) -> None:
    with own_server.running() as service:
        wait_until_ready(service)
        assert post(service, "before").status == 201
        own_server.server.stop()
        for _ in range(12):
            begin = time.monotonic()
            assert is_refusal(post(service, "while it is gone"))
            assert time.monotonic() - begin < 3
            assert ready(service).status == 200
            time.sleep(0.1)
        own_server.server.start()
        wait_until(lambda: get(service).status == 200, lambda: reasons(service), seconds=2)
        assert post(service, "after").status == 201
        wait_until_available(service)
        assert reasons(service)[0] == "available"
        assert len(reasons(service)) <= 4  # it may refuse connections while it starts


def test_readiness_may_follow_the_database(own_server: Migrated) -> None:
    with own_server.running(DATABASE_READINESS="always") as service:
        wait_until_ready(service)
        own_server.server.stop()
        wait_until(lambda: ready(service).status == 503, lambda: "still ready")
        own_server.server.start()
        wait_until_ready(service)


@pytest.mark.contract("a database that goes away later")
def test_a_database_that_no_longer_responds_costs_no_more_than_the_timeouts(own_server: Migrated) -> None:
    variables = {"DATABASE_ACQUIRE_TIMEOUT": "300ms", "DATABASE_QUERY_TIMEOUT": "1s"}
    with own_server.running(**variables) as service, ThreadPoolExecutor(20) as pool:
        wait_until_ready(service)
        assert get(service).status == 200
        with own_server.server.frozen():
            begin = time.monotonic()
            assert {answer.status for answer in pool.map(lambda _: get(service), range(20))} <= {503, 504}
            assert time.monotonic() - begin < 5
            assert ready(service).status == 200
        wait_until(lambda: get(service).status == 200, lambda: reasons(service), seconds=2)


@pytest.mark.contract("a slow query")
def test_a_slow_query_is_cancelled_and_its_connection_is_used_again(migrated: Migrated) -> None:
    working = f"SELECT count(*) FROM {OTHERS} AND query LIKE '%ListNotes%' AND state = 'active'"
    pids = f"SELECT array_agg(pid ORDER BY pid) FROM {OTHERS}"
    with migrated.running(REQUEST_TIMEOUT="700ms", DATABASE_MAX_CONNS="2") as service:
        wait_until_ready(service)
        with ThreadPoolExecutor(2) as pool:
            assert {answer.status for answer in pool.map(lambda _: get(service), range(20))} == {200}
            before = migrated.query(pids)
            with migrated.holding("LOCK TABLE notes"):
                for _ in range(3):
                    begin = time.monotonic()
                    statuses = [answer.status for answer in pool.map(lambda _: get(service), range(2))]
                    assert statuses == [504, 504]
                    assert 0.5 < time.monotonic() - begin < 2
                    assert migrated.query(working) == "0"
            assert migrated.query(pids) == before
            assert get(service).status == 200


@pytest.mark.contract("no free connection")
def test_a_pool_that_is_used_up_is_a_503_in_time(migrated: Migrated) -> None:
    with (
        migrated.running(DATABASE_MAX_CONNS="1", DATABASE_ACQUIRE_TIMEOUT="200ms") as service,
        ThreadPoolExecutor(5) as pool,
    ):
        wait_until_ready(service)
        with migrated.holding("LOCK TABLE notes"):
            waiting = pool.submit(get, service)
            time.sleep(0.3)
            begin = time.monotonic()
            assert all(is_refusal(answer) for answer in pool.map(lambda _: get(service), range(4)))
            assert time.monotonic() - begin < 2
            assert waiting.result().status == 504
        assert get(service).status == 200


def test_a_short_request_timeout_caps_the_others(migrated: Migrated) -> None:
    """A pool that is used up is still told from a request that took too long."""
    with migrated.running(DATABASE_MAX_CONNS="1", REQUEST_TIMEOUT="1s") as service, ThreadPoolExecutor(2) as pool:
        wait_until_ready(service)
        with migrated.holding("LOCK TABLE notes"):
            waiting = pool.submit(get, service)
            time.sleep(0.1)
            assert get(service).status == 503
            assert waiting.result().status == 504


@pytest.mark.contract("PgBouncer in transaction mode")
def test_it_works_behind_pgbouncer(migrated: Migrated, pgbouncer: None) -> None:
    with PgBouncer(migrated.server) as bouncer, migrated.running(DATABASE_URL=bouncer.url(migrated.name)) as service:
        wait_until_ready(service)
        with ThreadPoolExecutor(20) as pool:
            answers = pool.map(lambda n: post(service, str(n), f"Idempotency-Key: {n}"), range(200))
            assert {answer.status for answer in answers} == {201}
            answers = pool.map(lambda n: post(service, str(n), f"Idempotency-Key: {n}"), range(200))
            assert {answer.status for answer in answers} == {201}
        page = get(service, f"{NOTES}?limit=100").json()
        assert len(page["notes"]) == 100
        path = f"{NOTES}/{page['notes'][0]['id']}"
        changed = raw_http.ask(service.address(), "PUT", path, '{"title": "Milk"}', 'If-Match: "1"')
        assert (changed.status, changed.json()["title"]) == (200, "Milk")
        assert migrated.query("SELECT count(*) FROM notes") == "200"


@pytest.mark.contract("a stop under load")
def test_requests_in_flight_finish_their_transactions_before_the_pool_closes(migrated: Migrated) -> None:
    migrated.query(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NEW; END'"
    )
    migrated.query("CREATE TRIGGER slow BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION slow()")
    with migrated.running() as service, ThreadPoolExecutor(10) as pool:
        wait_until_ready(service)
        answers = [pool.submit(post, service, str(number), f"Idempotency-Key: {number}") for number in range(10)]
        time.sleep(0.5)
        assert service.stop() == 0
        assert {answer.result().status for answer in answers} == {201}
    assert migrated.query("SELECT count(*) FROM notes") == "10"


@pytest.mark.contract("a full disk, a standby")
def test_a_standby_takes_no_changes_and_the_log_says_so(migrated: Migrated) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        migrated.query(f"ALTER DATABASE {migrated.name} SET default_transaction_read_only = on")
        migrated.query(f"SELECT pg_terminate_backend(pid) FROM {OTHERS}")
        wait_until(lambda: get(service).status == 200, lambda: reasons(service))
        assert is_refusal(post(service, "Milk"))
        service.wait_for(lambda line: "read-only transaction" in str(line.get("error")))
        migrated.server.query(f"ALTER DATABASE {migrated.name} RESET default_transaction_read_only")
        wait_until(lambda: post(service, "Milk").status == 201, lambda: reasons(service), 2)


@pytest.mark.contract("a full disk, a standby")
def test_a_full_disk_is_a_503_and_the_log_says_so(
    stateful: BakedService, small_disk: Path, own_server: Migrated
) -> None:
    own_server.query(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    own_server.query("ALTER TABLE notes SET TABLESPACE small")
    with own_server.running() as service:
        wait_until_ready(service)
        answers = [post(service, str(number), text=token_hex(5000)) for number in range(200)]
        refused = [answer for answer in answers if answer.status != 201]
        assert refused
        assert all(is_refusal(answer) for answer in refused)
        service.wait_for(lambda line: "No space left on device" in str(line.get("error")))
        assert get(service, f"{NOTES}?limit=1").status == 200


@pytest.mark.contract("`DATABASE_` and `PG` variables")
def test_the_url_may_be_in_a_file_or_in_the_variables_of_libpq(migrated: Migrated, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{migrated.url}\n")
    libpq = {"PGHOST": "127.0.0.1", "PGPORT": str(migrated.server.port), "PGUSER": "app", "PGPASSWORD": "secret"}
    for variables in ({"DATABASE_URL_FILE": str(tmp_path / "url")}, {**libpq, "PGDATABASE": migrated.name}):
        with RunningService(migrated.binary, **variables) as service:
            wait_until_ready(service)
    without_password = migrated.url.replace(":secret", "")
    with migrated.running(DATABASE_URL=without_password, **libpq) as service:
        time.sleep(1)
        assert reasons(service) == ["wrong user or password"], "PGPASSWORD counts beside DATABASE_URL"


@pytest.mark.contract("`DATABASE_` and `PG` variables")
@pytest.mark.parametrize("url", ["x", "postgres://[", "postgres://app@host:port/app", "postgres://a/b?sslmode=maybe"])
def test_a_bad_url_is_refused_and_not_shown(stateful: BakedService, url: str) -> None:
    told = stateful.run("env", f"DATABASE_URL={url}", "bin/service", status=2)
    assert "DATABASE_URL=***: must be a URL like postgres://" in told


SECONDS = 60


@pytest.mark.contract("a restart under load")
def test_a_restart_under_load_loses_nothing_and_does_nothing_twice(own_server: Migrated) -> None:
    """Each request has a key, and is sent again until it is acknowledged."""
    acknowledged: list[str] = []
    failures: list[float] = []
    end = time.monotonic() + SECONDS

    def send(client: int) -> None:
        number = 0
        while time.monotonic() < end:
            number += 1
            title = f"{client}-{number}"
            while True:
                try:
                    answer = post(service, title, f"Idempotency-Key: {title}")
                except OSError:
                    pytest.fail("the service does not respond")
                if answer.status == 201:
                    acknowledged.append(title)
                    break
                assert answer.status in (409, 503, 504), answer.body
                failures.append(time.monotonic())
                time.sleep(0.05)

    with own_server.running() as service, ThreadPoolExecutor(8) as pool:
        wait_until_ready(service)
        clients = [pool.submit(send, client) for client in range(8)]
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGINT):
            time.sleep(SECONDS / 5)
            own_server.server.stop(number)
            time.sleep(1)
            own_server.server.start()
            returned = time.monotonic()
            time.sleep(4)
            assert [moment for moment in failures if moment > returned + 2] == []
        for client in clients:
            client.result()
        assert ready(service).status == 200
    stored = own_server.query("SELECT title FROM notes").split()
    assert len(acknowledged) > 500
    assert sorted(stored) == sorted(acknowledged)
    assert failures
