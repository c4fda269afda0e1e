"""The gallery and the picture of the questions show what the template does now."""

from __future__ import annotations

from pathlib import Path

import pytest

from go_service_answers import template
from tools import picture
from tools.gallery import GALLERY, page, steady


def test_the_gallery_is_current(tmp_path: Path) -> None:
    shown = GALLERY.read_text(encoding="utf-8")
    assert page(tmp_path) == shown, "docs/gallery.md is out of date. Type: make docs"


def test_the_picture_of_the_questions_is_current(tmp_path: Path) -> None:
    shown = picture.PICTURE.read_text(encoding="utf-8")
    assert picture.svg(picture.session(tmp_path)) == shown, "docs/prompt.svg is out of date. Type: make docs"


def test_the_gallery_shows_every_choice() -> None:
    shown = GALLERY.read_text(encoding="utf-8")
    for question, (default, *others) in template.choices().items():
        for choice in others:
            assert f"\n### `{question}`: `{choice}` instead of `{default}`\n" in shown


@pytest.mark.parametrize(
    ("one_run", "another"),
    [
        ('{"time":"2026-11-24T13:41:31.4Z"}', '{"time":"2027-01-01T00:00:00.123456789+01:00"}'),
        ('{"duration":98765,"client":"127.0.0.1:34567"}', '{"duration":1,"client":"127.0.0.1:40000"}'),
        ('{"address":"[::]:34567"}', '{"address":"0.0.0.0:8080"}'),
        ('{"address":"127.0.0.1:34567"}', '{"address":"127.0.0.1:9090"}'),
        ('{"go_version":"go1.27.3"}', '{"go_version":"go1.28.10 X:nogreenteagc"}'),
        ("HTTP/1.1 200 OK\nDate: Tue, 24 Nov 2026 13:41:31 GMT\n", "HTTP/1.1 200 OK\nDate: x\n"),
        (f"{'a1' * 16} {'b2' * 16} {'a1' * 16}", f"{'07' * 16} {'c3' * 16} {'07' * 16}"),
    ],
)
def test_what_differs_between_two_runs_is_shown_the_same(one_run: str, another: str) -> None:
    assert steady(one_run) == steady(another)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ('{"address":"[::]:8080"}', '{"address":"127.0.0.1:8080"}'),
        ('{"status":200,"bytes":15}', '{"status":200,"bytes":16}'),
        (f"{'a1' * 16} {'a1' * 16}", f"{'a1' * 16} {'b2' * 16}"),
    ],
)
def test_what_tells_two_lines_apart_is_kept(one: str, another: str) -> None:
    assert steady(one) != steady(another)
