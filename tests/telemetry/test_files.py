"""What a choice of telemetry brings, read from the files alone."""

from __future__ import annotations

import re

import pytest

from go_service_answers.link import LINK
from tests.support.fixtures import Bake
from tests.support.watched import CHOICES


@pytest.mark.contract("a service without telemetry")
def test_without_telemetry_there_is_no_word_of_it(bake: Bake) -> None:
    service = bake()
    texts = {name: service.read(name) for name in service.files() - {LINK}}
    words = re.compile("telemetry|prometheus|otel|METRICS|traceparent|grafana", re.IGNORECASE)
    assert {name: words.findall(text) for name, text in texts.items() if words.search(text)} == {}
    assert service.read("go.mod").count("\n") == 3
    assert "go.sum" not in texts


@pytest.mark.parametrize("choice", CHOICES)
def test_the_modules_stand_above_those_of_the_team(bake: Bake, choice: str) -> None:
    """What a team requires comes below `module`, so that an update of the template's modules is no conflict."""
    above, module, below = bake(telemetry=choice).read("go.mod").partition("\nmodule github.com/acme/my-service\n")
    assert "require" in above
    assert module
    assert not below
