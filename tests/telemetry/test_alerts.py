"""The alerts fire when they should, and are silent when they should not be."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.baking import BakedService
from tests.support.fixtures import Bake
from tests.support.observability import FOLDER
from tests.support.prometheus import command


@pytest.fixture(
    scope="module",
    params=[
        {"telemetry": "both"},
        pytest.param({"telemetry": "prometheus"}, marks=pytest.mark.long),
        pytest.param({"telemetry": "opentelemetry"}, marks=pytest.mark.long),
        pytest.param({"telemetry": "both", "service_name": "order-api-2"}, marks=pytest.mark.long),
    ],
    ids=lambda answers: "-".join(answers.values()),
)
def service(bake: Bake, request: pytest.FixtureRequest) -> BakedService:
    """A service with each choice of telemetry."""
    return bake(**request.param)


def rules(service: BakedService, name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load(service.read(f"{FOLDER}/{name}"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts(service: BakedService) -> list[dict[str, Any]]:
    return [rule for rule in rules(service, "alerts.yml") if "alert" in rule]


def promtool(folder: Path, *words: str) -> None:
    done = subprocess.run([command("promtool"), *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.contract("alerts")
def test_promtool_accepts_the_rules(service: BakedService) -> None:
    for name in ("objectives.yml", "alerts.yml"):
        promtool(service.path / FOLDER, "check", "rules", "--lint=all", "--lint-fatal", name)


@pytest.mark.long
def test_the_alerts_fire_and_are_silent_as_their_test_says(service: BakedService) -> None:
    promtool(service.path / FOLDER, "test", "rules", "alerts_test.yml")


@pytest.mark.long
def test_the_alerts_read_the_objectives_of_the_team(service: BakedService, tmp_path: Path) -> None:
    """The same tests, with the constants of objectives.yml."""
    test = yaml.safe_load(service.read(f"{FOLDER}/alerts_test.yml"))
    test["rule_files"].append("objectives.yml")
    test["tests"] = [case for case in test["tests"] if not case["name"].endswith("is missing")]
    for case in test["tests"]:
        case["input_series"] = [
            series for series in case["input_series"] if not re.match("service:(?!latency:exempt)", series["series"])
        ]
    for name in ("alerts.yml", "objectives.yml"):
        shutil.copy(service.path / FOLDER / name, tmp_path)
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    promtool(tmp_path, "test", "rules", "test.yml")


def test_each_alert_is_tested_as_firing_and_as_silent(service: BakedService) -> None:
    """A test looks at all alerts, so one that it does not list is tested as silent."""
    tests = yaml.safe_load(service.read(f"{FOLDER}/alerts_test.yml"))["tests"]
    checks = [check for test in tests for check in test["promql_expr_test"]]
    assert all("ALERTS{alertstate=" in check["expr"] and "alertname=" not in check["expr"] for check in checks)
    firing = [re.findall(r'alertname="(\w+)"', str(check.get("exp_samples"))) for check in checks]
    for alert in alerts(service):
        listed = [alert["alert"] in names for names in firing]
        assert any(listed), alert["alert"]
        assert not all(listed), alert["alert"]


def test_each_alert_says_how_urgent_it_is_and_what_to_look_at_first(service: BakedService) -> None:
    for alert in alerts(service):
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["labels"]["service"] == service.path.name
        for annotation in ("summary", "runbook"):
            assert re.fullmatch(r"[A-Z].*[.?]", alert["annotations"][annotation]), alert["alert"]


def test_each_window_is_the_one_that_a_name_says(service: BakedService) -> None:
    windows = []
    for rule in rules(service, "alerts.yml"):
        if named := re.fullmatch(r"job:.*?(\d+[mhd])", rule.get("record", "")):
            assert set(re.findall(r"\[(\w+)\]|rate(\d+\w)\{", rule["expr"])) <= {(named[1], ""), ("", named[1])}
            windows.append(named[1])
    for alert in alerts(service):
        if ratios := re.findall(r":ratio(\w+)\{", alert["expr"]):
            assert re.findall(r"\[(\w+)\]", alert["expr"]) == ratios[:1]
    assert windows == [window for window in ("5m", "30m", "1h", "6h", "3d") for _ in range(3)]


def test_every_series_is_one_of_this_service(service: BakedService) -> None:
    """No selector is without a job or the service of the objectives."""
    name = service.path.name
    for rule in rules(service, "alerts.yml"):
        selected = re.findall(r"[a-z_]\w*(?::\w+)+(?!\w*\()\{?[^}]*|[a-z]\w+\{[^}]*", rule["expr"])
        assert selected
        for series in selected:
            assert f'job=~"(.+/)?{name}"' in series or f'service="{name}"' in series, rule
