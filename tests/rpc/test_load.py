"""The load generator sends the calls whose figures docs/benchmarks.md has, and takes no error for an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import figures, rpc
from tools.running_service import RunningService


@pytest.mark.parametrize(("name", "code"), [("gRPC", "OK"), ("Connect", "OK"), ("JSON, HTTP/2", None), ("JSON", None)])
@pytest.mark.long
def test_the_load_generator_counts_calls(running: RunningService, tmp_path: Path, name: str, code: str | None) -> None:
    figures.go_programs(tmp_path)
    told = rpc.LOADS[name].send(tmp_path, running.address()[1])
    assert told.rate > 0
    assert 0 < told.p50 <= told.p99 <= told.p999
    running.stop()
    logged = [line for line in running.lines if line["msg"] == "request"]
    assert {(line["status"], line.get("code")) for line in logged} == {(200, code)}


@pytest.mark.long
def test_a_call_that_fails_is_no_throughput(running: RunningService, tmp_path: Path) -> None:
    figures.go_programs(tmp_path)
    bad = rpc.LOADS["gRPC"]._replace(body=bytes(5))  # no name
    with pytest.raises(SystemExit, match="has no body"):
        bad.send(tmp_path, running.address()[1])
