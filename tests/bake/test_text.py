"""A description comes out as it was typed, in every syntax in which it stands."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.support.baking import BakedService
from tests.support.fixtures import Bake
from tests.support.goreader import GoReader, Reading

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
def baked(bake: Bake, description: str) -> BakedService:
    return bake(description=description)


@pytest.fixture(scope="module")
def go_reader() -> Iterator[GoReader]:
    with GoReader() as reader:
        yield reader


def test_go_shows_it(baked: BakedService, description: str, go_reader: GoReader) -> None:
    code = {name: baked.read(name) for name in baked.files() if re.search(r"(?<!_test)\.go$", name)}
    assert go_reader.read("github.com/acme/my-service", code) == Reading("", [], description)


def test_yaml_shows_it(baked: BakedService, description: str) -> None:
    assert yaml.safe_load(baked.read("internal/api/openapi.yaml"))["info"]["summary"] == description


def test_markdown_shows_it(baked: BakedService, description: str) -> None:
    tokens = MarkdownIt("commonmark").enable("strikethrough").parse(baked.read("README.md"))
    paragraph = next(tokens[i + 1] for i, token in enumerate(tokens) if token.type == "paragraph_open")
    assert paragraph.children
    assert {child.type for child in paragraph.children} <= {"text", "text_special"}
    assert "".join(child.content for child in paragraph.children) == description.strip(" ")


def test_nothing_is_left_for_the_markdown_of_code_hosts(baked: BakedService) -> None:
    """They make maths of $...$ and tables of |, which CommonMark does not."""
    assert not re.search(r"(?<!\\)[$|]", baked.read("README.md").split("\n")[2])


@pytest.mark.long
def test_the_image_shows_it(baked: BakedService, description: str, engine: None) -> None:
    build = ["docker", "build", "--quiet", "-"]
    dockerfile = labels_only(baked.read("Dockerfile"))
    image = subprocess.run(build, input=dockerfile, capture_output=True, text=True, check=True).stdout.strip()
    (inspected,) = json.loads(subprocess.check_output(["docker", "image", "inspect", image], text=True))
    assert inspected["Config"]["Labels"]["org.opencontainers.image.description"] == description


def labels_only(dockerfile: str) -> str:
    """Return a Dockerfile with the same labels on an empty image, which builds in no time."""
    labels = re.search(r"^ARG VERSION=dev\nARG REVISION.*", dockerfile, re.MULTILINE | re.DOTALL)
    assert labels
    return "FROM scratch\n" + labels[0]
