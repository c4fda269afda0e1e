"""What may happen to the template while a team edits its service."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.repository import SERVICE_FOLDER
from tests.support.team_edits import Change, replace, write


def new_file(template: Path) -> None:
    """A new package, with its line in the README. Both have Jinja in them."""
    service = template / SERVICE_FOLDER
    write(service / "internal/clock/clock.go", CLOCK)
    replace(
        service / "README.md",
        "  build/  requestid/\n",
        "  clock/              the time, for {{ cookiecutter.service_name }}\n  build/  requestid/\n",
    )


def new_import(template: Path) -> None:
    """An import beside those that a team changes when it renames the module."""
    line = '\t"{{ cookiecutter.module_path }}/internal/middleware"\n'
    new = '\t_ "{{ cookiecutter.module_path }}/internal/problem"\n'
    replace(template / SERVICE_FOLDER / "main.go", line, line + new)


def new_heads_and_tails(template: Path) -> None:
    """Another first and another last line in each file that teams edit."""
    for name, comment in HEADS_AND_TAILS.items():
        file = template / SERVICE_FOLDER / name
        text = file.read_text()
        jinja = re.match(r"(\{%-.*?-%\}\n)*", text, re.DOTALL)
        assert jinja
        head, body = jinja[0], text.removeprefix(jinja[0])
        file.write_text(f"{head}{comment.format('The first line.')}\n\n{body}\n{comment.format('The last line.')}\n")


HEADS_AND_TAILS = {
    "Makefile": "# {}",
    "Dockerfile": "# {}",
    "README.md": "<!-- {} -->",
    "AGENTS.md": "<!-- {} -->",
    "CODEOWNERS": "# {}",
    ".dockerignore": "# {}",
    "internal/api/openapi.yaml": "# {}",
    "internal/api/greetings.go": "// {}",
    "internal/api/json.go": "// {}",
    "internal/config/config.go": "// {}",
    "main.go": "// {}",
}


def renamed_file(template: Path) -> None:
    folder = template / SERVICE_FOLDER / "internal/middleware"
    (folder / "observe.go").rename(folder / "requests.go")
    replace(folder / "requests.go", "package middleware\n", "package middleware // of each request\n")


def removed_file(template: Path) -> None:
    """A file that nobody edited. An edited one stays, and its team decides."""
    (template / SERVICE_FOLDER / "internal/admin/admin_test.go").unlink()
    replace(template / "cookiecutter.json", '    "internal/admin/admin_test.go",\n', "")


def new_question(template: Path) -> None:
    """A question whose default changes nothing."""
    replace(
        template / "cookiecutter.json",
        '  "license": ["proprietary"',
        '  "region": ["none", "eu"],\n  "license": ["proprietary"',
    )
    dockerfile = template / SERVICE_FOLDER / "Dockerfile"
    replace(
        dockerfile,
        "USER 65532:65532\n",
        "{%- if cookiecutter.region != 'none' %}\nENV REGION=eu\n{%- endif %}\nUSER 65532:65532\n",
    )


def changed_defaults(template: Path) -> None:
    """Other defaults: of questions, for new services only, and of a setting, for all services."""
    context = template / "cookiecutter.json"
    context.write_text(json.dumps({**json.loads(context.read_text()), "http_port": "8081", "owner": "@acme/all"}))
    service = template / SERVICE_FOLDER
    replace(service / "internal/config/config.go", '{"MAX_IN_FLIGHT", "1024",', '{"MAX_IN_FLIGHT", "2048",')
    replace(service / "README.md", "| `MAX_IN_FLIGHT` | `1024` |", "| `MAX_IN_FLIGHT` | `2048` |")


def new_setting(template: Path) -> None:
    """A setting in the middle: teams add theirs at the end."""
    service = template / SERVICE_FOLDER
    config = service / "internal/config/config.go"
    replace(config, "\tMaxInFlight       int\n", "\tMaxInFlight       int\n\tMaxURLBytes       int\n")
    replace(
        config,
        '\t\t{"SHUTDOWN_DELAY"',
        '\t\t{"MAX_URL_BYTES", "8192", "size of a URL", number(&c.MaxURLBytes, 1, 1<<16)},\n\t\t{"SHUTDOWN_DELAY"',
    )
    replace(
        service / "README.md",
        "| `SHUTDOWN_DELAY` ",
        "| `MAX_URL_BYTES` | `8192` | size of a URL |\n| `SHUTDOWN_DELAY` ",
    )


def next_version(template: Path) -> None:
    """The line that every release changes."""
    file = template / SERVICE_FOLDER / ".template"
    name, _, address = file.read_text().split()
    file.write_text(f"{name} 9.9.9 {address}\n")


CHANGES: dict[str, Change] = {
    "new file": new_file,
    "new import": new_import,
    "new heads and tails": new_heads_and_tails,
    "renamed file": renamed_file,
    "removed file": removed_file,
    "new question": new_question,
    "changed defaults": changed_defaults,
    "new setting": new_setting,
    "next version": next_version,
}


def all_changes(template: Path) -> None:
    for change in CHANGES.values():
        change(template)


CLOCK = """// Package clock tells the time.
package clock

import (
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
)

// Passed reports whether the time that a request has is over, as {{ cookiecutter.service_name }} sees it.
func Passed(began time.Time, cfg config.Config) bool {
	return time.Since(began) > cfg.ReadTimeout
}
"""
