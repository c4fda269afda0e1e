"""The table of choices: what the tests have to know about each."""

from __future__ import annotations

from typing import NamedTuple

from allpairspy import AllPairs

from go_service_answers import template


class Choice(NamedTuple):
    """A choice that a service can be baked with.

    `words` are patterns that match nothing in a service without this choice, and something in one with it.
    """

    question: str
    name: str
    words: tuple[str, ...]
    changes_go: bool = False  # its Go code or go.mod differs from the default's
    needs: tuple[str, ...] = ()  # the fixtures of tests/conftest.py that its service needs to build and run


CHOICES = [
    Choice("base_image", "alpine", (r"\balpine:\d", r"which alpine lacks")),
    Choice("base_image", "distroless", (r"distroless",)),
    Choice("base_image", "scratch", (r"\bscratch\b", r"COPY .*ca-certificates")),
    Choice("telemetry", "none", ()),
    Choice("telemetry", "prometheus", (r"^// Package telemetry counts the",), True, ("modules",)),
    Choice("telemetry", "opentelemetry", (r"otlpmetrichttp",), True, ("modules",)),
    Choice("telemetry", "both", (r"prometheus\.ExemplarObserver",), True, ("modules",)),
    Choice("database", "none", ()),
    Choice("database", "postgres", (r"jackc/pgx",), True, ("modules", "database_url")),
    Choice("rpc", "none", ()),
    Choice("rpc", "connect", (r"connectrpc\.com/connect", r"gRPC"), True, ("modules",)),
    Choice("deploy", "none", ()),
    Choice("deploy", "kubernetes", (r"kustomize",)),
    Choice("ci", "none", ()),
    Choice("ci", "github", (r"gh release view", r"GitHub Actions")),
    Choice("ci", "gitlab", (r"merge_request\.create", r"GitLab CI/CD")),
    Choice("license", "proprietary", (r"^Proprietary\b",)),
    Choice("license", "MIT", (r"\bMIT\b",)),
    Choice("license", "Apache-2.0", (r"\bApache\b",)),
]

Answers = dict[str, str]


def combinations() -> list[Answers]:
    """Return the answers to try: the defaults, the defaults with each single choice, and every pair of choices."""
    choices = template.choices()
    defaults = {question: offered[0] for question, offered in choices.items()}
    singles = [defaults | {question: choice} for question, offered in choices.items() for choice in offered]
    pairs = [dict(zip(choices, row, strict=True)) for row in AllPairs(list(choices.values()))]
    return list({tuple(answers.items()): answers for answers in [defaults, *singles, *pairs]}.values())


def name_of(answers: Answers) -> str:
    """Return a combination's name for the list of tests."""
    return "-".join(answers.values())


def go_combinations() -> list[Answers]:
    """Return one of the combinations for each variant of the Go code."""
    changing = {(choice.question, choice.name) for choice in CHOICES if choice.changes_go}
    return list({frozenset(changing & set(answers.items())): answers for answers in reversed(combinations())}.values())
