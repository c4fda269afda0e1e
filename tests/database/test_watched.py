"""A database in a service that is watched: the pool and the queries, by their names alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.baking import bake_into
from tests.support.fixtures import Once
from tests.support.otlp import Receiver
from tests.support.postgres import Postgres
from tests.support.prometheus import wait_until
from tests.support.stateful import NOTES, Migrated, get, new_database, post, wait_until_ready
from tests.support.watched import metrics_port, scrape, series_of
from tools.running_service import RunningService

pytestmark = pytest.mark.long
MAX = "db.client.connection.max"


@pytest.fixture
def watched(once: Once, modules: None, postgres: Postgres, choice: str) -> Migrated:
    """A service with a database and the choice of telemetry that the test names."""
    made = once(f"stateful-{choice}", lambda folder: bake_into(folder, telemetry=choice, database="postgres").build())
    return new_database(made / "my-service/bin/service", postgres)


def use(service: RunningService) -> None:
    """Create, read and list, and ask for more connections than there are."""
    wait_until_ready(service)
    path = post(service, "secret title", "Idempotency-Key: secret").headers["Location"]
    assert get(service, path).status == get(service, f"{NOTES}?limit=7").status == 200


@pytest.mark.parametrize("choice", ["prometheus", "both"])
def test_the_pool_and_the_queries_are_scraped(watched: Migrated, choice: str) -> None:
    with watched.running(DATABASE_MAX_CONNS="1", DATABASE_ACQUIRE_TIMEOUT="100ms") as service:
        use(service)
        with watched.holding("LOCK TABLE notes"), ThreadPoolExecutor(2) as pool:
            assert sorted(answer.status for answer in pool.map(lambda _: get(service), range(2))) == [503, 504]
        exposition = scrape(metrics_port(service))
        series = series_of(exposition)
        count = "db_client_operation_duration_seconds_count"
        for name, number in {"CreateNote": 1, "GetNote": 1, "ListNotes": 2}.items():
            assert series[f'{count}{{db_query_summary="{name}"}}'] == number
        assert series['db_client_connection_count{db_client_connection_state="idle"}'] == 1
        assert series['db_client_connection_count{db_client_connection_state="used"}'] == 0
        assert series["db_client_connection_max"] == 1
        assert series["db_client_connection_timeouts_total"] == 1
        assert "secret" not in exposition
        assert "SELECT" not in exposition


@pytest.mark.parametrize("choice", ["opentelemetry"])
def test_the_pool_and_the_queries_are_pushed(watched: Migrated, choice: str) -> None:
    with Receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_METRIC_EXPORT_INTERVAL": "100"}
        with watched.running(**variables) as service:
            use(service)
            wait_until(lambda: 10 in [point.value for point in receiver.values(MAX)], lambda: receiver.values(MAX))
            assert service.stop() == 0
        names = {value.attributes["db.query.summary"] for value in receiver.values("db.client.operation.duration")}
        assert {"CreateNote", "GetNote", "ListNotes"} <= names


@pytest.mark.parametrize("choice", ["opentelemetry", "both"])
def test_each_query_is_a_span_of_its_request(watched: Migrated, choice: str) -> None:
    with Receiver() as receiver:
        with watched.running(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as service:
            use(service)
            assert service.stop() == 0
        spans = {span.name: span for span in receiver.spans}
        request, query = spans["GET /v1/notes/{id}"], spans["GetNote"]
        assert (query.trace_id, query.parent) == (request.trace_id, request.span_id)
        assert query.attributes == {"db.system.name": "postgresql", "db.query.summary": "GetNote"}
        assert spans["CreateNote"].parent == spans["POST /v1/notes"].span_id
        assert "secret" not in str(receiver.spans)
        assert "SELECT" not in str(receiver.spans)
