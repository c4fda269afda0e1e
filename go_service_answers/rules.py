"""The rules of the answers: what each question accepts, why it refuses an answer, and what it suggests instead.

The prompt, the last check before generation and the tests all read these rules. They depend on nothing but the answer:
not on the clock, the network or the machine.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from go_service_answers import template

OTHER_PORTS = (9090, 9464)  # the default ports of the service's other listeners: ADMIN_ADDR and METRICS_ADDR
OLDEST_GO = (1, 27)

SERVICE_NAME = "{{ cookiecutter.service_name }}"  # the one expression that a config may use

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
WINDOWS_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(device + digit for device in ("com", "lpt") for digit in "123456789")]
)

# The first elements of the standard library's import paths: a module under one of them does not build.
STANDARD_LIBRARY = frozenset(
    "archive bufio bytes cmd cmp compress container context crypto database debug embed encoding errors expvar flag "
    "fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime simd "
    "slices sort std strconv strings structs sync syscall testing text time unicode unique unsafe uuid vendor "
    "weak".split()
)

# Format characters that languages and emoji need: joiners and direction marks.
ORDINARY_FORMATS = frozenset("\u200c\u200d\u200e\u200f\u061c")

# Invisible characters: blank letters, and Unicode's Default_Ignorable_Code_Point, which can hide whole sentences from
# people but not from programs. Most answers need neither this pattern nor the next, so they are compiled when needed.
BLANKS = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\ufffc"
    "\U00013430-\U0001343f\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)

# Sequences in which some invisible characters are ordinary: a variation selector after the character whose form it
# chooses, and the flag of a region such as Scotland, which is a black flag followed by the region's name in tags.
ORDINARY_SEQUENCES = (
    "[^\\s\ufe00-\ufe0f\u180b-\u180f\U000e0100-\U000e01ef][\ufe00-\ufe0f]"
    "|[\u1820-\u18aa][\u180b-\u180d\u180f]"
    "|[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff][\U000e0100-\U000e01ef]"
    "|\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
)


class Rule(NamedTuple):
    """What one question accepts, in words and in code. A suggestion is always accepted."""

    accepted: str
    why_not: Callable[[str], str | None]  # why an answer is refused, or None when it is accepted
    suggestion: Callable[[str], str]


# Unicode gives control characters no names.
CONTROLS = {"\0": "NULL", "\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\x1b": "ESCAPE"}


def _named(character: str, position: int) -> str:
    name = CONTROLS.get(character) or unicodedata.name(character, "a character without a name")
    return f"it has U+{ord(character):04X} {name} at position {position}"


def _counted(text: str) -> str:
    return f"it has {len(text)} character{'' if len(text) == 1 else 's'}"


def printable_ascii(why_not: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """Make a rule refuse characters that are not printable ASCII, by name: some look like one that is."""

    def why_not_either(text: str) -> str | None:
        strange = (_named(c, at) for at, c in enumerate(text, start=1) if not (c.isascii() and c.isprintable()))
        return next(strange, None) or why_not(text)

    return why_not_either


def _ascii(text: str) -> str:
    """Return the text without accents, and without letters that are not ASCII."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


@printable_ascii
def why_not_service_name(name: str) -> str | None:
    if not 2 <= len(name) <= 40:
        return _counted(name)
    if strange := re.search(r"[^a-z0-9-]", name):
        kind = "the capital letter " if strange[0].isupper() else "a space, " if strange[0] == " " else ""
        return f"it has {kind}{strange[0]!r}"
    if not re.match("[a-z]", name):
        return f"it begins with {name[0]!r}"
    if name[-1] == "-" or "--" in name:
        return "it has a hyphen that is not between two letters or digits"
    if name in WINDOWS_DEVICES:
        return "Windows keeps that name for a device"
    if name == "vendor" or re.fullmatch(r"v[0-9]+", name):
        return "Go gives that name a meaning of its own"
    return None


def suggest_service_name(text: str) -> str:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", _ascii(text))
    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).lstrip("-0123456789")[:40].rstrip("-")
    candidates = (name, f"{name}-service")
    return next((n for n in candidates if why_not_service_name(n) is None), template.default_of("service_name"))


def why_not_description(text: str) -> str | None:
    for position, character in enumerate(_without_ordinary_sequences(text), start=1):
        if _is_invisible(character):
            return _named(character, position)
    if not any(map(_stands_by_itself, text)):
        return "it is empty"
    if len(text) > 200:
        return _counted(text)
    return None


def _stands_by_itself(character: str) -> bool:
    """Report whether a character is visible alone. Spaces and combining marks are not."""
    category = unicodedata.category(character)
    return category[0] in "LNPS" or category == "Cn"


def _without_ordinary_sequences(text: str) -> str:
    """Return a text of the same length in which each character of an ordinary sequence is an x."""
    return text if text.isascii() else re.sub(ORDINARY_SEQUENCES, lambda found: "x" * len(found[0]), text)


def _is_invisible(character: str) -> bool:
    """Report whether a character is invisible, or makes a text read differently than it is: https://trojansource.codes.

    Characters that this Python's Unicode version does not know are accepted, so that the result is the same everywhere.
    """
    if character.isascii():
        return not character.isprintable()
    category = unicodedata.category(character)
    noncharacter = category == "Cn" and (ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF)
    misleading = category == "Cf" and character not in ORDINARY_FORMATS
    return noncharacter or misleading or bool(re.match(BLANKS, character)) or category in {"Cc", "Co", "Cs", "Zl", "Zp"}


def suggest_description(text: str) -> str:
    shown = zip(text, _without_ordinary_sequences(text), strict=True)
    visible = "".join(" " if c.isspace() else c for c, plain in shown if c.isspace() or not _is_invisible(plain))
    shortened = " ".join(visible.split())[:200].rstrip()
    return shortened if why_not_description(shortened) is None else template.default_of("description")


@printable_ascii
def why_not_module_path(path: str) -> str | None:
    """Refuse what golang.org/x/mod/module.CheckImportPath and "go mod init" refuse, and paths that do not build."""
    if not 1 <= len(path) <= 200:
        return _counted(path)
    if strange := re.search(r"[^A-Za-z0-9._~+/-]", path):
        return f"it has {strange[0]!r}"
    if path[0] == ".":  # "go mod init" takes it, but the linker of Go 1.27 panics
        return "it begins with a dot"
    for element in path.split("/"):
        if reason := _why_not_path_element(element):
            return reason
    if (
        path in {"C", "all", "builtin", "mod", "toolchain", "tool", "work"}
        or path.startswith("mod/")
        or path.split("/")[0] in STANDARD_LIBRARY
    ):
        return "Go keeps that name for itself"
    if path.startswith("gopkg.in/"):
        major = re.fullmatch(r".+\.v(0|[1-9][0-9]*(-unstable)?)", path)
        return None if major else "gopkg.in needs a version at its end, such as .v1"
    major = re.fullmatch(r".*/v([0-9.]+)", path)
    if major and not re.fullmatch(r"[2-9]|[1-9][0-9]+", major[1]):
        return "a version at its end must be /v2 or later"
    return None


def _why_not_path_element(element: str) -> str | None:
    if not element:
        return "it has an empty element"
    if element[0] in "-~+":  # "go mod init" takes these after the first element, "go build" does not
        return f"{element} begins with {element[0]}"
    if element.endswith("."):
        return f"{element} ends with a dot"
    if element == "vendor":
        return "Go gives vendor a meaning of its own"
    stem = element.split(".")[0]
    if stem.lower() in WINDOWS_DEVICES:
        return f"Windows keeps {stem} for a device"
    if re.search(r"~[0-9]+$", stem):
        return f"{element} looks like a Windows short name"
    return None


def suggest_module_path(text: str) -> str:
    path = re.sub(r"(?i)^[a-z+]+://", "", _ascii(text).strip().replace("\\", "/"))  # a web address
    path = re.sub(r"^\w+@([\w.-]+)[:/]", r"\1/", path)  # what git clones by SSH
    path = re.sub(r"/(tree|blob)/.*|\.git/*$|/+$", "", path)
    path = "/".join(re.sub(r"[^A-Za-z0-9._~+-]+", "-", element).strip("-~+") for element in path.split("/"))
    without_version = re.sub(r"/v[0-9.]+$", "", path)
    elsewhere = default_module_path(suggest_service_name(without_version.split("/")[-1]))
    return next((p for p in (path, without_version) if why_not_module_path(p) is None), elsewhere)


def default_module_path(service_name: str) -> str:
    return template.default_of("module_path").replace(SERVICE_NAME, service_name)


ACCOUNT = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
ROLE = "@@(?:developer|maintainer|owner)s?"  # https://docs.gitlab.com/user/project/codeowners/reference/
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
EMAIL = rf"[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*@{LABEL}(?:\.{LABEL})+"


@printable_ascii
def why_not_owner(owner: str) -> str | None:
    if len(owner) > 100:
        return _counted(owner)
    if "@" not in owner:
        return "it has no @"
    if re.search("[ ,;]", owner):
        return "it is more than one"
    if not re.fullmatch(rf"@{ACCOUNT}(/{ACCOUNT})*|{ROLE}|{EMAIL}", owner):
        return "it is no account, no team and no e-mail address"
    return None


def suggest_owner(text: str) -> str:
    """Return the first address or name in the text, be it the web address of a person or a team."""
    found = re.search(EMAIL, text) or re.search(rf"(?<!\w)@{ACCOUNT}(/{ACCOUNT})*", text)
    path = re.sub(r"(?i)^([a-z]+://[^/]+|[\w.-]+\.(com|org))/|\b(orgs|teams)/", "", _ascii(text).strip())
    owner = found[0] if found else "@" + re.sub(r"[^A-Za-z0-9_./-]+", "-", path).strip("-./")
    return owner if why_not_owner(owner) is None else template.default_of("owner")


@printable_ascii
def why_not_http_port(port: str) -> str | None:
    if not re.fullmatch(r"[1-9][0-9]*", port):
        return "it is not a whole number"
    if len(port) > 5 or not 1024 <= int(port) <= 65535:
        return "it is out of range"
    if int(port) in OTHER_PORTS:
        return "another listener of the service uses that port"
    return None


def suggest_http_port(text: str) -> str:
    digits = re.sub(r"[^0-9]", "", text).lstrip("0") or "80"
    candidates = (digits, "8" + digits.rjust(3, "0"))
    return next((p for p in candidates if why_not_http_port(p) is None), template.default_of("http_port"))


@printable_ascii
def why_not_go_version(version: str) -> str | None:
    minor = re.fullmatch(r"1\.(0|[1-9][0-9]{0,2})", version)
    if not minor:
        return "it is not a version of two numbers"
    return "it is too old" if (1, int(minor[1])) < OLDEST_GO else None


def suggest_go_version(text: str) -> str:
    """Return the version in the text. For 1.3 return 1.30, which YAML reads as 1.3 without quotes."""
    found = re.search(r"1\.[0-9]+", text)
    candidates = (found[0], found[0] + "0") if found else ()
    return next((version for version in candidates if why_not_go_version(version) is None), dotted(OLDEST_GO))


def dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


RULES: dict[str, Rule] = {
    "service_name": Rule(
        "2 to 40 lower-case letters, digits and single hyphens, beginning with a letter, such as order-api",
        why_not_service_name,
        suggest_service_name,
    ),
    "description": Rule("one line of 1 to 200 visible characters", why_not_description, suggest_description),
    "module_path": Rule(
        "a path that Go can build a module of, such as github.com/acme/order-api",
        why_not_module_path,
        suggest_module_path,
    ),
    "owner": Rule(
        "one @user, @org/team, @group/subgroup or e-mail address, as in CODEOWNERS", why_not_owner, suggest_owner
    ),
    "http_port": Rule(
        f"a number from 1024 to 65535, except {OTHER_PORTS[0]} and {OTHER_PORTS[1]}",
        why_not_http_port,
        suggest_http_port,
    ),
    "go_version": Rule(
        f"{dotted(OLDEST_GO)} or later, without a patch number; in YAML in quotes",
        why_not_go_version,
        suggest_go_version,
    ),
}


HEADING = "These answers cannot be used:"


def refuse(lines: list[str]) -> NoReturn:
    """End the program with these lines. Cookiecutter, cruft and pytest-cookies show them without a traceback."""
    sys.exit("\n".join([HEADING, *lines]))


def refusal(answers: Mapping[str, object]) -> str:
    """Return the message about all bad answers, or "" when all are good."""
    lines = problems(answers)
    return "\n".join([HEADING, *lines]) if lines else ""


def warn(line: str) -> None:
    print(line, file=sys.stderr)


def problems(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each bad answer: the question, the answer, what is wrong, what is accepted, what to type.

    Questions without a rule, or without an answer, are skipped. So is a module path that is bad only because it ends
    with the bad service name: its default is made from that name.
    """
    bad = {name: why for name in RULES if name in answers and (why := advice(name, answers[name]))}
    if "service_name" in bad and str(answers.get("module_path")).endswith(f"/{answers['service_name']}"):
        bad.pop("module_path", None)
    return [f"{question}={shown(answers[question])}: {why}" for question, why in bad.items()]


def advice(question: str, answer: object) -> str | None:
    """Return what is wrong with an answer, what is accepted and what to type. None: it is good, or has no rule."""
    rule = RULES.get(question)
    if rule is None:
        return None
    why_not = rule.why_not(answer) if isinstance(answer, str) else f"it is of type {type(answer).__name__}, not text"
    if why_not is None:
        return None
    return f"{why_not}. Accepted: {rule.accepted}. Try: {suggestion(question, answer)}"


def suggestion(question: str, answer: object) -> str:
    """Return what was probably meant, without the escape sequences that arrow keys send on some terminals."""
    typed = re.sub(r"\x1b\[[0-9;]*[A-Za-z~]", "", str(answer)[:1000])
    return RULES[question].suggestion(typed)


def shown(answer: object) -> str:
    """Return an answer in quotes, escaped and at most 60 characters long, so that printing it does no harm."""
    escaped = repr(str(answer))
    return escaped if len(escaped) <= 60 else escaped[:57] + "..."


def one_of(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
