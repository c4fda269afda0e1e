"""make gallery: bake each choice, run the default service, and write docs/gallery.md of what was seen."""

from __future__ import annotations

import difflib
import json
import re
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple

from tools import toolchain
from tools.service import Line, Service

TEMPLATE = Path(__file__).resolve().parent.parent
GALLERY = TEMPLATE / "docs/gallery.md"

TEXT = """# Gallery

What you would get, before you bake it: made by `make gallery` from real bakes and a running service, and compared
with them by a test. Only what differs between two runs has a stand-in: times, durations, request ids, addresses and
the Go version.

## Files

With the defaults:

{tree}
{choices}
## Questions

A session at a terminal, with two mistyped answers that are asked again, is in [README.md](../README.md#the-questions).

## Answers

From the default service, built with `make build VERSION=1.2.3` and started with

{start}
so that a short body is over the limit, the log shows the probes, and there is time to ask while it drains. Requests are
written for curl; headers are in alphabetical order.

{answers}
## Log

A start, with the listener for `ADMIN_ADDR` beside the one for `PORT`:

{started}
The requests above, in their order; the last came while the service drained:

{requests}
A stop, by SIGTERM:

{stopped}
## Help

{usage}
Every bad variable is reported at once, and nothing was bound:

{bad_variables}"""

VARIABLES = {"LOG_LEVEL": "debug", "MAX_BODY_BYTES": "40", "SHUTDOWN_DELAY": "2s"}

STAND_INS = {
    r'"time":"[^"]+"': '"time":"2026-01-02T03:04:05.678901234Z"',
    r'"duration":\d+': '"duration":123456',
    r'"client":"[^"]+"': '"client":"127.0.0.1:50000"',
    r'"address":"127\.0\.0\.1:\d+"': '"address":"127.0.0.1:9090"',
    r'"address":"(\[::\]|0\.0\.0\.0):\d+"': '"address":"[::]:8080"',  # the second where a machine has no IPv6
    r'"go_version":"[^"]+"': '"go_version":"go1.27.0"',
    r"^Date: .*": "Date: Fri, 02 Jan 2026 03:04:05 GMT",
}


def steady(text: str) -> str:
    """Put a stand-in for all that differs between two runs; request ids are numbered, so that they can be followed."""
    for pattern, stand_in in STAND_INS.items():
        text = re.sub(pattern, stand_in, text, flags=re.MULTILINE)
    ids = dict.fromkeys(re.findall(r"\b[0-9a-f]{32}\b", text))
    for number, request_id in enumerate(ids, 1):
        text = text.replace(request_id, f"{number:032}")
    return text


def block(text: str, language: str = "text") -> str:
    """Return a text as a block of Markdown, with a fence that no fence in it can close."""
    return f"````{language}\n{text.rstrip()}\n````\n"


def choices_by_option() -> dict[str, list[str]]:
    """Return the questions of cookiecutter.json that have choices, the default first."""
    context = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    return {name: choices for name, choices in context.items() if name[0] != "_" and isinstance(choices, list)}


def bake(folder: Path, *answers: str) -> Path:
    """Bake into a new folder, whatever the user's config says, and return the service."""
    folder.mkdir()
    config = folder.parent / "config.json"
    config.write_text(json.dumps({"replay_dir": str(folder.parent / "replays")}), encoding="utf-8")
    options = ["--no-input", "--config-file", str(config), "--output-dir", str(folder)]
    command = [sys.executable, "-m", "cookiecutter", *options, str(TEMPLATE), *answers]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    (service,) = folder.iterdir()
    return service


def build(service: Path) -> Path:
    command = ["make", "--no-print-directory", "build", "VERSION=1.2.3"]
    subprocess.run(command, cwd=service, env=toolchain.environment(), stdout=subprocess.DEVNULL, check=True)
    return service / "bin/service"


def tree(folder: Path, indent: str = "") -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        yield f"{indent}{path.name}{'/' * path.is_dir()}\n"
        if path.is_dir():
            yield from tree(path, indent + "  ")


def contents(service: Path) -> dict[str, str]:
    """Return the text of each file by its path."""
    files = sorted(path for path in service.rglob("*") if path.is_file())
    return {str(path.relative_to(service)): path.read_text(encoding="utf-8") for path in files}


def changes(default: dict[str, str], chosen: dict[str, str]) -> Iterator[str]:
    """Say what a choice changes: by name the files that it adds and removes, by their lines those that it edits."""
    for verb, names in (("Adds", chosen.keys() - default.keys()), ("Removes", default.keys() - chosen.keys())):
        if names:
            yield f"{verb} {', '.join(f'`{name}`' for name in sorted(names))}.\n"
    for name, text in default.items():
        if chosen.get(name, text) != text:
            yield f"In `{name}`:\n\n{block(changed_lines(text, chosen[name]), 'diff')}"


def changed_lines(old: str, new: str) -> str:
    """Return a diff with two lines around each change, without line numbers: edits elsewhere would change those."""
    _, _, *lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=2, lineterm="")
    return "\n".join("@@" if line.startswith("@@") else line.rstrip() for line in lines)


def choices(folder: Path, default: dict[str, str]) -> Iterator[str]:
    for option, (usual, *others) in choices_by_option().items():
        for choice in others:
            chosen = contents(bake(folder / f"{option}-{choice}", f"{option}={choice}"))
            yield f"### `{option}`: `{choice}` instead of `{usual}`\n"
            yield from changes(default, chosen)


class Request(NamedTuple):
    method: str
    path: str
    body: str = ""
    content_type: str = "application/json"

    def typed(self) -> str:
        """Return the request as one would type it."""
        method = "" if self.body or self.method == "GET" else f"-X {self.method} "
        data = f"-H 'Content-Type: {self.content_type}' -d {shlex.quote(self.body)} " if self.body else ""
        return f"curl -i {method}{data}http://localhost:8080{self.path}"

    def sent(self) -> bytes:
        """Return the request in one piece: an answer that comes before the body would race with a second one."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost:8080"]
        if self.body:
            lines += [f"Content-Type: {self.content_type}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", self.body]).encode()


READY = Request("GET", "/readyz")
REQUESTS = [
    Request("GET", "/"),
    Request("GET", "/version"),
    Request("GET", "/livez"),
    READY,
    Request("POST", "/v1/greetings", '{"name":"Ada"}'),
    Request("POST", "/v1/greetings", '{"nane":"Ada"}'),
    Request("GET", "/v1/orders"),
    Request("DELETE", "/v1/greetings"),
    Request("POST", "/v1/greetings", '{"name":"Augusta Ada King, Countess of Lovelace"}'),
    Request("POST", "/v1/greetings", "name=Ada", content_type="application/x-www-form-urlencoded"),
    Request("POST", "/v1/greetings", '{"name":""}'),
]


def ask(service: Service, request: Request) -> str:
    """Return what a request and its answer look like, after the line of the log came.

    The length of a body is that of the body with its stand-ins, in the answer and in the log.
    """
    with socket.create_connection(service.address(), timeout=10) as connection:
        connection.sendall(request.sent())
        answer = HTTPResponse(connection)
        answer.begin()
        body = answer.read().decode()
    line = service.wait_for(lambda line: line.get("request_id") == answer.headers["X-Request-Id"])
    longer = len(steady(body)) - len(body)
    line["bytes"] += longer
    answer.headers.replace_header("Content-Length", str(int(answer.headers["Content-Length"]) + longer))
    status = f"{answer.status} {answer.reason}"
    headers = "".join(f"{name}: {value}\n" for name, value in sorted(answer.getheaders()))
    shown = block(f"$ {request.typed()}\nHTTP/1.1 {status}\n{headers}\n{body}")
    return f"### `{request.method} {request.path}`: {status}\n\n{shown}"


def converse(binary: Path) -> tuple[list[str], list[Line]]:
    """Ask a service, stop it, ask it once more while it drains; return its answers and its log."""
    with Service(binary, **VARIABLES) as running:
        answers = [ask(running, request) for request in REQUESTS]
        running.signal()
        running.wait_for(lambda line: line["msg"] == "draining")
        answers.append(ask(running, READY))
        running.wait()
    return answers, running.lines


def log(lines: Iterable[Line]) -> list[str]:
    return [json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines]


def parts_of_the_log(lines: list[Line]) -> dict[str, str]:
    """Return the blocks of the log. Either listener may be the first to say that it drains: those lines are sorted."""
    parts = {
        "started": log(line for line in lines if line["msg"] == "listening"),
        "requests": log(line for line in lines if line["msg"] == "request"),
        "stopped": sorted(log(line for line in lines if line["msg"] not in {"listening", "request"}), key=steady),
    }
    return {name: block("\n".join(part), "json") for name, part in parts.items()}


def command_line(*words: str, **variables: str) -> str:
    """Return a start of the service as one would type it."""
    return " ".join(["$", *(f"{name}={value}" for name, value in variables.items()), "bin/service", *words])


def run(binary: Path, *words: str, **variables: str) -> str:
    """Return what a start of the service that ends by itself prints."""
    done = subprocess.run([binary, *words], env=variables, capture_output=True, text=True, timeout=10)
    shown = f"{command_line(*words, **variables)}\n{done.stdout}{done.stderr}"
    return block(f"{shown}exit status {done.returncode}" if done.returncode else shown)


def page(folder: Path) -> str:
    """Return the text of the gallery, as seen of services that are baked into a folder."""
    service = bake(folder / "default")
    default, listing = contents(service), "".join(tree(service))
    binary = build(service)
    answers, lines = converse(binary)
    text = TEXT.format(
        tree=block(f"{service.name}/\n{listing}"),
        choices="\n".join(choices(folder, default)),
        start=block(command_line(**VARIABLES)),
        answers="\n".join(answers),
        **parts_of_the_log(lines),
        usage=run(binary, "-help"),
        bad_variables=run(binary, PORT="http", READ_TIMEOUT="10"),
    )
    return steady(text)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="go-service-template-gallery-") as folder:
        GALLERY.write_text(page(Path(folder)), encoding="utf-8")
    print(f"Written to {GALLERY.relative_to(TEMPLATE)}")


if __name__ == "__main__":
    main()
