"""What an answer may be."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from go_service_answers import rules, template
from go_service_answers.rules import RULES
from tests.support.fixtures import Bake
from tests.support.machine import go_environment

ACCEPTED = {
    "service_name": ["my-service", "a1", "x" * 40, "a-b-c", "orders-v2", "con-troller", "com10", "internal"],
    "description": [
        "A Go service.",
        "x" * 200,
        'quotes " and \\ and ` and $(touch x) and # and */ and {{ and %s',
        "emoji 🦫 and 👩‍🚀 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "خدمة للطلبات",
        "می‌خواهم",
        "葛\U000e0100城 and ❤\ufe0f and 1\ufe0f\u20e3 and ᠨ\u180b",
        "- [x] <b>*not* Markdown</b>",
        "not yet in Unicode: \U0001fbff",
        "no\u00a0break",
    ],
    "module_path": [
        "github.com/acme/orders", "orders", "EXAMPLE.com/x", "a.b/.x", "a.b/c+d", "a.b/x~y", "a.b/x~1y",
        "a.b/x/v2", "a.b/x/v10", "gopkg.in/yaml.v3", "gopkg.in/a/b.v0", "a.b/v1x", "test/x", "x/go", "a.b/_x",
        "golang.org/x/fmt", "a.b/x/v", "gopkg.in", "v2", "example/x", "gopkg.in/x.v1-unstable", "builtin/x", "a/mod", "a.b/" + "x" * 196,
    ],
    "owner": ["@ada", "@acme/platform", "@a-b", "@org/team_a", "@group/sub/team", "@_x", "@@maintainers", "ada@example.com", "a.b+c@x-y.org"],
    "http_port": ["1024", "8080", "65535"],
    "go_version": ["1.27", "1.30", "1.100"],
}  # fmt: skip

REFUSED = {
    "service_name": [
        "con", "prn", "aux", "nul", *(f"{device}{n}" for device in ("com", "lpt") for n in range(1, 10)),
        "", "a", "x" * 41, "My-RunningService", "1st", "-a", "a-", "a--b", "a_b", "a.b", "a/b", "../x", "a b",
        "vendor", "v1", "v22", "ａｂ", "é-a", "ab\n", "ab\u200b",
    ],
    "description": [
        "", " ", "x" * 201, "two\nlines", "tab\t", "nul\0", "bell\x07", "\x7f", "\u0085", "\u2028", "\u2029",
        "\u202egnp.exe", "zero\u200bwidth", "\ufeffbom", "\ud800", "\ue000", "\U0010ffff", "\ufdd0",
        "\u200e", "\ufe0f", "\u0300", "\u3164", "\u2800", "x\u115f", "x\u1160", "x\uffa0", "x\u00ad", "x\u2062", "x\U000e0041", "x\ufff9",
        "x\ufe0f\ufe0f", "x\U000e0101", "x\U000e0fff", "x\u2065", "x\u034f", "x\u180b", "x\ufffc", "x\U00013430",
        *(f"x{override}y" for override in "\u200b\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
    ],
    "module_path": [
        "", "-x", "/x", "x/", "a//b", "a/./b", "a/../b", "..", ".", "x.", "a b", "a:b", "a@v1", "é/x", "x~1",
        "a/x~12.y", "con", "a/NUL.txt", "a.b/v0", "a.b/v1", "a.b/x/v01", "a.b/x/v1.2", "gopkg.in/x", "gopkg.in/x.v01",
        "go", ".example.com/x", "a.b/" + "x" * 197, "simd", "all", "tool", "work", "C", "~a", "+", "a/-x", "a/~", "a/+x/b",
        "toolchain", "builtin", "mod", "mod/x", "gopkg.in/x.v0-unstable", "fmt", "cmd/x", "std", "net/http/x", "a.b/vendor/x", "vendor", "x\n", "https://a.b/x",
    ],
    "owner": [
        "", "ada", "@", "@ada @bob", "@a/", "@/a", "@a//b", "a@b", "@a b", "#x", "@ada\n", "@é", "@-a", "@@boss", ".a@b.c", "a@-b.c", "a@b-.c", "a@.-", "@" + "x" * 100,
    ],
    "http_port": [
        "", "0", "80", "1023", "65536", "9090", "9464", "08080", "+8080", "8080.0", "8_080", "8０８０", "８０８０", "٨٠٨٠", "8080\n",
        "http",
    ],
    "go_version": ["", "1.26", "1.9", "1", "2.0", "1.27.3", "go1.27", "1.027", "1.27\n", "1.2７", "latest", "１.２７"],
}  # fmt: skip

CASES = [(question, answer) for question, answers in REFUSED.items() for answer in answers]


def test_every_question_has_a_rule_or_choices() -> None:
    assert RULES.keys() == set(template.questions()) - template.choices().keys()


@pytest.mark.parametrize(("question", "answer"), [(q, a) for q, answers in ACCEPTED.items() for a in answers])
def test_a_good_answer_is_accepted(question: str, answer: str) -> None:
    assert RULES[question].why_not(answer) is None


@pytest.mark.parametrize(("question", "answer"), CASES)
def test_a_bad_answer_is_refused_with_a_reason(question: str, answer: str) -> None:
    assert RULES[question].why_not(answer)


@pytest.mark.parametrize(("question", "answer"), CASES)
def test_a_suggestion_passes_its_own_rule(question: str, answer: str) -> None:
    rule = RULES[question]
    assert rule.why_not(rule.suggestion(answer)) is None


@pytest.mark.parametrize(
    ("question", "answer", "suggestion"),
    [
        ("service_name", "Order API", "order-api"),
        ("service_name", "orderAPI", "order-api"),
        ("service_name", "Größe", "groe"),
        ("service_name", "con", "con-service"),
        ("service_name", "42", "my-service"),
        ("service_name", "x" * 41, "x" * 40),
        ("service_name", "orders\x1b[D\x1b[D", "orders"),
        ("description", "two\nlines", "two lines"),
        ("description", "हिन्दी\nसेवा ❤\ufe0f cafe\u0301", "हिन्दी सेवा ❤\ufe0f cafe\u0301"),
        ("description", "seen\U000e0101\U000e0102\ufe0f", "seen"),
        ("module_path", "https://github.com/acme/orders.git", "github.com/acme/orders"),
        ("module_path", "HTTPS://github.com/acme/orders/tree/main/x", "github.com/acme/orders"),
        ("module_path", "git@github.com:acme/orders.git", "github.com/acme/orders"),
        ("module_path", "ssh://git@github.com/acme/orders.git", "github.com/acme/orders"),
        ("module_path", "github.com\\acme\\orders", "github.com/acme/orders"),
        ("module_path", "github.com/acme/órders", "github.com/acme/orders"),
        ("module_path", "github.com/acme/orders/v1", "github.com/acme/orders"),
        ("module_path", "fmt", "github.com/acme/fmt"),
        ("owner", "acme/platform", "@acme/platform"),
        ("owner", "Ada <ada@example.com>", "ada@example.com"),
        ("owner", " ada@example.com ", "ada@example.com"),
        ("owner", "@acme/orders @acme/platform", "@acme/orders"),
        ("owner", "https://github.com/acme", "@acme"),
        ("owner", "github.com/ada", "@ada"),
        ("owner", "https://github.com/orgs/acme/teams/orders", "@acme/orders"),
        ("http_port", "80", "8080"),
        ("http_port", "443", "8443"),
        ("go_version", "go1.28.1", "1.28"),
        ("go_version", "v1.28", "1.28"),
        ("go_version", "1.3", "1.30"),
    ],
)
def test_a_suggestion_is_made_from_the_answer(question: str, answer: str, suggestion: str) -> None:
    assert rules.suggestion(question, answer) == suggestion


def test_the_description_names_the_character_and_its_place() -> None:
    assert RULES["description"].why_not("ab\u202ecd") == "it has U+202E RIGHT-TO-LEFT OVERRIDE at position 3"


def test_every_default_is_accepted() -> None:
    assert rules.problems(defaults()) == []
    assert rules.problems({name: template.default_of(name) for name in RULES.keys() - {"module_path"}}) == []


def test_a_module_path_made_from_a_bad_name_is_not_named_too() -> None:
    answers = {**defaults(), "service_name": "Order API", "module_path": "github.com/acme/Order API"}
    assert [line.partition("=")[0] for line in rules.problems(answers)] == ["service_name"]


def test_the_longest_answer_is_refused_at_once() -> None:
    assert all(rules.advice(question, "/" * 1_000_000 + "x") for question in RULES)


def test_all_problems_come_at_once_a_line_each() -> None:
    lines = rules.problems({**defaults(), "service_name": "Order API", "http_port": "80"})
    assert lines == [
        f"service_name='Order API': it has the capital letter 'O'. Accepted: {RULES['service_name'].accepted}. Try: order-api",
        "http_port='80': it is out of range. Accepted: a number from 1024 to 65535, except 9090 and 9464. Try: 8080",
    ]


@pytest.mark.parametrize("answer", [None, 8080, True, ["8080"], 1.5])
def test_an_answer_of_another_type_is_named(answer: object) -> None:
    (line,) = rules.problems({**defaults(), "http_port": answer})
    assert f"of type {type(answer).__name__}" in line


def test_an_answer_is_shown_escaped_and_short() -> None:
    assert rules.shown("\x1b[2J" + "x" * 1000) == "'\\x1b[2J" + "x" * 49 + "..."


def defaults() -> dict[str, object]:
    return {name: rule.suggestion("") for name, rule in RULES.items()}


def test_no_port_is_one_of_the_other_listeners(bake: Bake) -> None:
    settings = bake(telemetry="prometheus").read("internal/config/config.go")
    assert [int(port) for port in re.findall(r'_ADDR", "[\d.]*:(\d+)"', settings)] == [*rules.OTHER_PORTS]


def test_the_standard_library_is_the_one_of_the_toolchain() -> None:
    listed = subprocess.check_output(["go", "list", "std", "cmd"], text=True, env=go_environment())
    first_elements = {path.split("/")[0] for path in listed.split()}
    assert first_elements | {"std", "simd"} == rules.STANDARD_LIBRARY  # simd is there by an experiment only


@pytest.mark.parametrize("path", ACCEPTED["module_path"] + REFUSED["module_path"])
def test_go_mod_init_agrees(path: str, tmp_path: Path) -> None:
    """The go command is the judge. It takes some paths that then do not build: they are refused all the same."""
    done = subprocess.run(["go", "mod", "init", path], cwd=tmp_path, env=go_environment(), capture_output=True)
    does_not_build = (
        re.fullmatch(
            r"(fmt|cmd|std|net|vendor|simd|mod)(/.*)?|builtin|.*/vendor/.*|\..*|all|tool|work|C|(.*/)?[-~+].*", path
        )
        or len(path) > 200
    )
    assert (RULES["module_path"].why_not(path) is None) == (done.returncode == 0 and not does_not_build)


def test_every_question_and_every_choice_has_a_label() -> None:
    labels = template.questions_file()["__prompts__"]
    assert list(labels) == template.questions()
    for question, choices in template.choices().items():
        assert list(labels[question]) == ["__prompt__", *choices]
