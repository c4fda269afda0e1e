"""The benchmarks measure what the contract promises about speed. Tests assert sizes, never timings."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import figures
from benchmarks.chart import bars
from tests.support.baking import BakedService
from tests.support.documents import table_rows
from tests.support.machine import go_environment
from tests.support.repository import read
from tools.running_service import RunningService, kibibytes

TABLE = table_rows(read("docs/benchmarks.md"), "| figure | bar | measured |")
MEASURED = {figure: measured for figure, _, measured in TABLE}


@pytest.mark.contract("throughput, full chain with the access log ÷ bare handler with the same timeouts")
@pytest.mark.contract("start to first 200, process spawn included")
@pytest.mark.contract("stop when idle")
@pytest.mark.contract("docker build after one changed line ÷ its limit")
@pytest.mark.contract("checking the answers, of a bake")
@pytest.mark.contract("bake ÷ an empty template's, F files in the service")
def test_the_benchmarks_measure_every_row_of_the_speed_table() -> None:
    contract = table_rows(read("docs/contract.md"), "| figure | bar |")
    assert [cells[0] for cells in contract] == list(MEASURED)


def test_the_readme_shows_what_was_measured_beside_its_bar() -> None:
    measured = {figure: (bar, cell) for figure, bar, cell in TABLE}
    for figure, bar, shown in table_rows(read("README.md"), "| figure | bar | measured |"):
        its_bar, cell = measured[figure]
        assert bar == its_bar
        assert cell.startswith(shown.removesuffix(", missed"))
        assert shown.endswith(", missed") == cell.endswith(", missed")


@pytest.mark.contract("stripped binary")
def test_the_binary_is_small(binary: Path) -> None:
    assert binary.stat().st_size <= 7.4e6


@pytest.mark.contract("memory idle (RSS)")
def test_an_idle_service_takes_little_memory(service: RunningService) -> None:
    service.address()
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux has /proc, with the memory of a process")
    assert kibibytes(service.process.pid, "VmRSS") <= 8 * 1024


def test_the_load_generator_counts_answers(service: RunningService, tmp_path: Path) -> None:
    figures.go_programs(tmp_path)
    told = figures.load(tmp_path, service.address()[1], "/version", 4, "-duration", "200ms")
    assert told["ok"].rate > 0
    assert 0 < told["ok"].p50 <= told["ok"].p99 <= told["ok"].p999
    assert told["refused"].rate == 0
    service.stop()
    logged = [line for line in service.lines if line["msg"] == "request"]
    assert len(logged) > 0
    assert {line["status"] for line in logged} == {200}


def test_the_chart_has_a_bar_for_each_figure_to_scale() -> None:
    chart = ElementTree.fromstring(bars("Title", ["1", "2"], {"a": [1000.0, 500.0], "b": [250.0, 0.0]}))
    rectangles = [shape for shape in chart if shape.tag.endswith("rect") and shape.get("width") != "10"]
    heights = [float(shape.attrib["height"]) for shape in rectangles]
    assert [height / heights[0] for height in heights] == [1, 0.5, 0.25, 0]
    assert {"Title", "a", "b", "1", "2", "1.0k", "500"} <= {shape.text for shape in chart}


def test_the_programs_are_formatted_and_vetted() -> None:
    for command in (["gofmt", "-l", "."], ["go", "vet", "./..."]):
        done = subprocess.run(
            command,
            cwd=figures.HERE,
            env=go_environment(),
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.long
@pytest.mark.contract("allocations the chain adds to a request")
def test_the_chain_allocates_little(default: BakedService) -> None:
    assert figures.allocations(default.path) <= 3
