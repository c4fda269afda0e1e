"""A text answer comes out as it was typed, in whatever syntax it stands."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml
from conftest import Bake, Baked
from markdown_it import MarkdownIt

DESCRIPTIONS = [
    "It's \"quoted\" and 'quoted' \\ and \\n and \\\\",
    "$(touch x) ${HOME} $HOME `id` %s %d $$ !! ~",
    "# not a comment // nor /* this */ -- nor; that",
    "<b>bold</b> & *stars* _lines_ [a](b) | `code` &amp; ~~x~~ ![i](j)",
    "- no list",
    "+ no list",
    " - no list",
    "$no$ maths and | no | table",
    "1. no list",
    "27) no list",
    "1.27 is no list",
    "=== no title",
    "> no quote",
    "emoji 🦫 and 👩‍🚀, Größe, خدمة الطلبات",
    "yaml: {a: [b, c]} !tag &anchor *alias @x %y ? - 'z",
    "ends with a backslash \\",
    " spaces at both ends ",
]


@pytest.fixture(scope="module", params=DESCRIPTIONS)
def description(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def baked(bake: Bake, description: str) -> Baked:
    return bake(description=description)


def test_go_shows_it(baked: Baked, description: str) -> None:
    assert baked.run("gofmt", "-l", ".") == ""
    assert baked.run("go", "run", ".", "-help").splitlines()[0] == f"my-service: {description}"


def test_yaml_shows_it(baked: Baked, description: str) -> None:
    assert yaml.safe_load(baked.read("internal/api/openapi.yaml"))["info"]["summary"] == description


def test_markdown_shows_it(baked: Baked, description: str) -> None:
    tokens = MarkdownIt("commonmark").enable("strikethrough").parse(baked.read("README.md"))
    paragraph = next(tokens[i + 1] for i, token in enumerate(tokens) if token.type == "paragraph_open")
    assert paragraph.children
    assert {child.type for child in paragraph.children} <= {"text", "text_special"}
    assert "".join(child.content for child in paragraph.children) == description.strip(" ")


def test_nothing_is_left_for_the_markdown_of_code_hosts(baked: Baked) -> None:
    """They make maths of $...$ and tables of |, which CommonMark does not."""
    assert not re.search(r"(?<!\\)[$|]", baked.read("README.md").split("\n")[2])


def test_the_image_shows_it(baked: Baked, description: str, engine: None) -> None:
    built = subprocess.run(
        ["docker", "build", "--quiet", "-"],
        input=labels_only(baked.read("Dockerfile")),
        capture_output=True,
        text=True,
        check=True,
    )
    inspected = subprocess.check_output(["docker", "image", "inspect", built.stdout.strip()], text=True)
    assert json.loads(inspected)[0]["Config"]["Labels"]["org.opencontainers.image.description"] == description


def labels_only(dockerfile: str) -> str:
    """Return a Dockerfile with the same labels on nothing, which is built in no time."""
    labels = re.search(r"^ARG VERSION=dev\nARG REVISION.*", dockerfile, re.MULTILINE | re.DOTALL)
    assert labels
    return "FROM scratch\n" + labels[0]
