"""The rules of the answers: what each question accepts, why it refuses an answer, and what it suggests instead.

They stand here once. The prompt, the gate before generation and the tests read them, so this module imports the
standard library only, and asks neither the clock nor the network.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import NamedTuple

ADMIN_PORT = 9090  # where the service's admin listener is by default

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

# Of the characters that format a text, those that languages and emoji are written with: joiners, marks of direction.
ORDINARY_FORMATS = frozenset("\u200c\u200d\u200e\u200f\u061c")

# Letters and symbols that nobody sees.
BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")

# The flag of a region, such as Scotland: a black flag and the region's name in tags, which are nowhere else of use.
REGIONAL_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")


class Rule(NamedTuple):
    """What one question accepts, in words and in code. A suggestion is always accepted."""

    accepted: str
    refusal: Callable[[str], str | None]  # why an answer is refused, None where it is not
    suggestion: Callable[[str], str]


def _named(character: str, position: int) -> str:
    name = unicodedata.name(character, "a character without a name")
    return f"it has U+{ord(character):04X} {name} at position {position}"


def _of_plain_characters(refusal: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """Let a rule name the first character that is not printable ASCII: some of them look like one that is."""

    def refuse(text: str) -> str | None:
        strange = (_named(c, at) for at, c in enumerate(text, start=1) if not (c.isascii() and c.isprintable()))
        return next(strange, None) or refusal(text)

    return refuse


def refuse_service_name(name: str) -> str | None:
    if not 2 <= len(name) <= 40:
        return f"it has {len(name)} characters"
    if strange := re.search(r"[^a-z0-9-]", name):
        return f"it has {strange[0]!r}"
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        return "it does not begin with a letter, or a hyphen does not stand between two other characters"
    if name in WINDOWS_DEVICES:
        return "Windows keeps that name for a device"
    if name == "vendor" or re.fullmatch(r"v[0-9]+", name):
        return "Go gives that name a meaning of its own"
    return None


def suggest_service_name(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", ascii_text)
    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).lstrip("-0123456789")[:40].rstrip("-")
    return next((n for n in (name, f"{name}-service") if refuse_service_name(n) is None), "my-service")


def refuse_description(text: str) -> str | None:
    for position, character in enumerate(REGIONAL_FLAG.sub(lambda flag: "x" * len(flag[0]), text), start=1):
        if _is_invisible(character):
            return _named(character, position)
    if not any(c.isprintable() and not c.isspace() for c in text):
        return "it is empty"
    if len(text) > 200:
        return f"it has {len(text)} characters"
    return None


def _is_invisible(character: str) -> bool:
    """Report whether a character cannot be shown, or makes a text read otherwise than it is: https://trojansource.codes.

    Characters that this Python's Unicode does not know yet are taken: else answers would depend on the machine.
    """
    category = unicodedata.category(character)
    noncharacter = category == "Cn" and (ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF)
    misleading = category == "Cf" and character not in ORDINARY_FORMATS
    return noncharacter or misleading or character in BLANKS or category in {"Cc", "Co", "Cs", "Zl", "Zp"}


def suggest_description(text: str) -> str:
    visible = "".join(" " if c.isspace() else c for c in text if c.isspace() or refuse_description(c) is None)
    return " ".join(visible.split())[:200].rstrip() or "A Go service."


def refuse_module_path(path: str) -> str | None:
    """Follow golang.org/x/mod/module.CheckImportPath and the rest of what "go mod init" refuses."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+", path):
        return "it has characters that Go does not allow in one"
    if len(path) > 200:
        return f"it has {len(path)} characters"
    if path[0] == ".":  # "go mod init" takes it, but the linker of Go 1.27 panics
        return "it begins with a dot"
    for element in path.split("/"):
        if reason := _refuse_path_element(element):
            return reason
    if path in {"C", "all", "toolchain", "tool", "work"} or path.split("/")[0] in STANDARD_LIBRARY:
        return "Go keeps that name for itself"
    if path.startswith("gopkg.in/"):
        major = re.fullmatch(r".+\.v(0|[1-9][0-9]*)(-unstable)?", path)
        return None if major else "gopkg.in wants a version at its end, such as .v1"
    major = re.fullmatch(r".*/v([0-9.]+)", path)
    if major and not re.fullmatch(r"[2-9]|[1-9][0-9]+", major[1]):
        return "a version at its end has to be /v2 or later"
    return None


def _refuse_path_element(element: str) -> str | None:
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
    path = re.sub(r"^[a-z]+://|\.git$|/+$", "", text.strip())
    path = "/".join(re.sub(r"[^A-Za-z0-9._~+-]+", "-", element).strip("-~+") for element in path.split("/"))
    return path if refuse_module_path(path) is None else "github.com/acme/" + suggest_service_name(path.split("/")[-1])


def refuse_owner(owner: str) -> str | None:
    name = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
    email = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
    if len(owner) > 100:
        return f"it has {len(owner)} characters"
    if not re.fullmatch(rf"@{name}(/{name})*|{email}", owner):
        return "it is none of them" if "@" in owner else "it has no @"
    return None


def suggest_owner(text: str) -> str:
    owner = "@" + re.sub(r"[^A-Za-z0-9_./-]+", "-", text).strip("-./")
    return owner if refuse_owner(owner) is None else "@acme/platform"


def refuse_http_port(port: str) -> str | None:
    if not re.fullmatch(r"[1-9][0-9]*", port) or len(port) > 5:
        return "it is not such a number"
    if not 1024 <= int(port) <= 65535:
        return "it is out of range"
    if int(port) == ADMIN_PORT:
        return "the admin listener has that port"
    return None


def suggest_http_port(text: str) -> str:
    digits = re.sub(r"[^0-9]", "", text).lstrip("0") or "80"
    return next((port for port in (digits, "8" + digits.rjust(3, "0")) if refuse_http_port(port) is None), "8080")


def refuse_go_version(version: str) -> str | None:
    minor = re.fullmatch(r"1\.([1-9][0-9]{1,2})", version)
    if not minor:
        return "it is not such a version"
    return "it is too old" if int(minor[1]) < 27 else None


def suggest_go_version(text: str) -> str:
    minor = re.match(r"(?:go)?(1\.[0-9]+)", text.strip().lower())
    return minor[1] if minor and refuse_go_version(minor[1]) is None else "1.27"


RULES: dict[str, Rule] = {
    "service_name": Rule(
        "2 to 40 lower-case letters, digits and single hyphens, beginning with a letter, such as order-api",
        _of_plain_characters(refuse_service_name),
        suggest_service_name,
    ),
    "description": Rule("one line of 1 to 200 visible characters", refuse_description, suggest_description),
    "module_path": Rule(
        'what "go mod init" accepts, such as github.com/acme/order-api',
        _of_plain_characters(refuse_module_path),
        suggest_module_path,
    ),
    "owner": Rule(
        "@user, @org/team or an e-mail address, as in CODEOWNERS", _of_plain_characters(refuse_owner), suggest_owner
    ),
    "http_port": Rule(
        f"a number from 1024 to 65535, except {ADMIN_PORT}", _of_plain_characters(refuse_http_port), suggest_http_port
    ),
    "go_version": Rule(
        "1.27 or later, without a patch number", _of_plain_characters(refuse_go_version), suggest_go_version
    ),
}


REFUSAL = "No service can be made of these answers:"


def refusal(answers: Mapping[str, object]) -> str:
    """Return the whole message about all bad answers, nothing where all are good."""
    return message(problems(answers))


def message(lines: list[str]) -> str:
    return "\n".join([REFUSAL, *lines]) if lines else ""


def problems(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each bad answer: the question, the answer, what is wrong, what is accepted, what to type.

    Questions without a rule are passed over, as are those that an older set of answers lacks.
    """
    return [line for question in RULES if question in answers and (line := problem(question, answers[question]))]


def problem(question: str, answer: object) -> str | None:
    """Return the line for one answer, None where it is good or its question has no rule."""
    rule = RULES.get(question)
    if rule is None:
        return None
    if not isinstance(answer, str):
        reason: str | None = f"it is of type {type(answer).__name__}, not text"
    else:
        reason = rule.refusal(answer)
    if reason is None:
        return None
    text = str(answer)
    return f"{question}={shown(text)}: {reason}. Accepted: {rule.accepted}. Try: {rule.suggestion(text)}"


def shown(text: str) -> str:
    """Return a text as a person may see it: in quotes, escaped and not longer than a line."""
    escaped = repr(text)
    return escaped if len(escaped) <= 60 else escaped[:57] + "..."
