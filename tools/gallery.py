"""make docs: bake each choice, run the default service, and write docs/gallery.md from the results."""

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

from go_service_answers import template
from go_service_answers.link import LINK
from tools import toolchain
from tools.running_service import Line, RunningService

GALLERY = template.ROOT / "docs/gallery.md"

TEXT = """# Gallery

This page shows what the template makes. `make docs` writes it from real bakes and a running service, and a test keeps
it current. Fixed values replace what differs between two runs: times, durations, request ids, addresses and the Go
version.

## Files

With the defaults:

{tree}
{choices}
## Questions

[docs/prompt.svg](prompt.svg) shows the questions at a terminal. Two answers are mistyped and asked again.

## Responses

The default service was built with `make build VERSION=1.2.3` and started with

{start}
These values make a short body too large, log the probes, and leave time for a request while the service drains.
Requests are written for curl. Headers are in alphabetical order.

{responses}
## Log

The start, with one listener for `PORT` and one for `ADMIN_ADDR`:

{started}
The requests above, in the same order. The last one arrived while the service drained:

{requests}
The stop, after SIGTERM:

{stopped}
## Help

{usage}
All bad variables are reported at once, and no port is bound:

{bad_variables}"""

VARIABLES = {"LOG_LEVEL": "debug", "MAX_BODY_BYTES": "40", "SHUTDOWN_DELAY": "2s"}

FIXED_VALUES = {
    r'"time":"[^"]+"': '"time":"2026-01-02T03:04:05.678901234Z"',
    r'"duration":\d+': '"duration":123456',
    r'"client":"[^"]+"': '"client":"127.0.0.1:50000"',
    r'"address":"127\.0\.0\.1:\d+"': '"address":"127.0.0.1:9090"',
    r'"address":"(\[::\]|0\.0\.0\.0):\d+"': '"address":"[::]:8080"',  # 0.0.0.0 on a machine without IPv6
    r'"go_version":"[^"]+"': '"go_version":"go1.27.0"',
    r"^Date: .*": "Date: Fri, 02 Jan 2026 03:04:05 GMT",
}


def steady(text: str) -> str:
    """Replace what differs between two runs by fixed values. Each request id becomes a number of its own."""
    for pattern, value in FIXED_VALUES.items():
        text = re.sub(pattern, value, text, flags=re.MULTILINE)
    ids = dict.fromkeys(re.findall(r"\b[0-9a-f]{32}\b", text))
    for number, request_id in enumerate(ids, 1):
        text = text.replace(request_id, f"{number:032}")
    return text


def block(text: str, language: str = "text") -> str:
    """Return a text as a fenced block. The fence has four backticks, because the text may have a fence of three."""
    return f"````{language}\n{text.rstrip()}\n````\n"


def bake(folder: Path, *answers: str) -> Path:
    """Bake into a new folder and return the service. The user's config is not read."""
    folder.mkdir()
    config = folder.parent / "config.json"
    config.write_text(json.dumps({"replay_dir": str(folder.parent / "replays")}), encoding="utf-8")
    options = ["--no-input", "--config-file", str(config), "--output-dir", str(folder)]
    command = [sys.executable, "-m", "cookiecutter", *options, str(template.ROOT), *answers]
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
    """Yield what a choice changes: the names of added and removed files, and a diff of each edited file."""
    for verb, names in (("Adds", chosen.keys() - default.keys()), ("Removes", default.keys() - chosen.keys())):
        if names:
            yield f"{verb} {', '.join(f'`{name}`' for name in sorted(names))}.\n"
    for name, text in default.items():
        if name != LINK and chosen.get(name, text) != text:  # the link has every answer
            yield f"In `{name}`:\n\n{block(changed_lines(text, chosen[name]), 'diff')}"


def changed_lines(old: str, new: str) -> str:
    """Return a diff with two lines of context. It has no line numbers, which any edit above would change."""
    _, _, *lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=2, lineterm="")
    return "\n".join("@@" if line.startswith("@@") else line.rstrip() for line in lines)


def choices(folder: Path, default: dict[str, str]) -> Iterator[str]:
    """Yield a section for each choice that is not the default."""
    for option, (usual, *others) in template.choices().items():
        for choice in others:
            chosen = contents(bake(folder / f"{option}-{choice}", f"{option}={choice}"))
            yield f"### `{option}`: `{choice}` instead of `{usual}`\n"
            yield from changes(default, chosen)


class Request(NamedTuple):
    method: str
    path: str
    body: str = ""
    content_type: str = "application/json"

    def as_curl(self) -> str:
        """Return the command that sends the request."""
        method = "" if self.body or self.method == "GET" else f"-X {self.method} "
        data = f"-H 'Content-Type: {self.content_type}' -d {shlex.quote(self.body)} " if self.body else ""
        return f"curl -i {method}{data}http://localhost:8080{self.path}"

    def as_bytes(self) -> bytes:
        """Return head and body together. The service may respond and close before a body that is sent later."""
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


def send(service: RunningService, request: Request) -> str:
    """Send a request, wait for its log line, and return a section with the request and the response.

    Fixed values may make a body longer or shorter. Its length in the response and in the log is adjusted.
    """
    with socket.create_connection(service.address(), timeout=10) as connection:
        connection.sendall(request.as_bytes())
        response = HTTPResponse(connection)
        response.begin()
        body = response.read().decode()
    line = service.wait_for(lambda line: line.get("request_id") == response.headers["X-Request-Id"])
    added = len(steady(body)) - len(body)
    line["bytes"] += added
    length = int(response.headers["Content-Length"]) + added
    response.headers.replace_header("Content-Length", str(length))
    status = f"{response.status} {response.reason}"
    headers = "".join(f"{name}: {value}\n" for name, value in sorted(response.getheaders()))
    shown = block(f"$ {request.as_curl()}\nHTTP/1.1 {status}\n{headers}\n{body}")
    return f"### `{request.method} {request.path}`: {status}\n\n{shown}"


def responses_and_log(binary: Path) -> tuple[list[str], list[Line]]:
    """Run a service: send it the requests, stop it, and send one more while it drains."""
    with RunningService(binary, **VARIABLES) as running:
        responses = [send(running, request) for request in REQUESTS]
        running.drain()
        responses.append(send(running, READY))
        running.wait()
    return responses, running.lines


def as_json(lines: Iterable[Line]) -> list[str]:
    return [json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines]


def log_blocks(lines: list[Line]) -> dict[str, str]:
    """Return the log in three blocks. The last is sorted, because either listener may be the first to drain."""
    parts = {
        "started": as_json(line for line in lines if line["msg"] == "listening"),
        "requests": as_json(line for line in lines if line["msg"] == "request"),
        "stopped": sorted(as_json(line for line in lines if line["msg"] not in {"listening", "request"}), key=steady),
    }
    return {name: block("\n".join(part), "json") for name, part in parts.items()}


def command_line(*words: str, **variables: str) -> str:
    """Return the command that starts the service."""
    return " ".join(["$", *(f"{name}={value}" for name, value in variables.items()), "bin/service", *words])


def run(binary: Path, *words: str, **variables: str) -> str:
    """Start a service that ends by itself. Return the command and what it printed."""
    done = subprocess.run([binary, *words], env=variables, capture_output=True, text=True, timeout=10)
    shown = f"{command_line(*words, **variables)}\n{done.stdout}{done.stderr}"
    return block(f"{shown}exit status {done.returncode}" if done.returncode else shown)


def page(folder: Path) -> str:
    """Bake into a folder and return the text of the gallery."""
    service = bake(folder / "default")
    default, listing = contents(service), "".join(tree(service))
    binary = build(service)
    responses, lines = responses_and_log(binary)
    text = TEXT.format(
        tree=block(f"{service.name}/\n{listing}"),
        choices="\n".join(choices(folder, default)),
        start=block(command_line(**VARIABLES)),
        responses="\n".join(responses),
        **log_blocks(lines),
        usage=run(binary, "-help"),
        bad_variables=run(binary, PORT="http", READ_TIMEOUT="10"),
    )
    return steady(text)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="go-service-template-gallery-") as folder:
        GALLERY.write_text(page(Path(folder)), encoding="utf-8")
    print(f"Written to {GALLERY.relative_to(template.ROOT)}")


if __name__ == "__main__":
    main()
