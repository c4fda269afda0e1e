"""What may happen to the template while a team edits its service."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.repository import SERVICE_FOLDER
from tests.support.team_edits import Change, replace, write
from tools.release import OWNERS, files_of_teams


def new_file(template: Path) -> None:
    """A new package, with its row in the table of files. Both have Jinja in them."""
    service = template / SERVICE_FOLDER
    write(service / "internal/clock/clock.go", CLOCK)
    row = "| `internal/lifecycle/` "
    replace(
        service / "docs/template.md",
        row,
        f"| `internal/clock/` | the time of {{{{ cookiecutter.service_name }}}} |\n{row}",
    )


def new_option(template: Path) -> None:
    """A question that brings a package, a field for the service, and a line in main.go that fills it."""
    questions = template / "cookiecutter.json"
    replace(questions, '  "license": ["prop', '  "audit": ["none", "log"],\n  "license": ["prop')
    row = '    {"when": {"audit": ["log"]}, "files": ["internal/audit"]},\n'
    replace(questions, '  "_optional_files": [\n', f'  "_optional_files": [\n{row}')
    service = template / SERVICE_FOLDER
    write(service / "internal/audit/audit.go", AUDIT)
    new = when_audited('\t"{{ cookiecutter.module_path }}/internal/audit"')
    for name in ("main.go", "internal/api/handler.go"):
        line = '\t"{{ cookiecutter.module_path }}/internal/build"\n'
        replace(service / name, f"\n{line}", f"\n{new}{line}")
    logger = "\tLogger *slog.Logger\n"
    replace(service / "internal/api/handler.go", logger, logger + when_audited("\tAudit  *audit.Log"))
    platform = "\tplatform := api.Platform{Build: info, Config: cfg, Logger: logger}\n"
    replace(service / "main.go", platform, platform + when_audited("\tplatform.Audit = audit.New(logger)"))


def when_audited(line: str) -> str:
    return f"{{% if cookiecutter.audit != 'none' %}}{line}\n{{% endif %}}"


def new_import(template: Path) -> None:
    """An import beside those that a team changes when it renames the module."""
    line = '\t"{{ cookiecutter.module_path }}/internal/middleware"\n'
    new = '\t_ "{{ cookiecutter.module_path }}/internal/problem"\n'
    replace(template / SERVICE_FOLDER / "main.go", line, line + new)


def new_heads_and_tails(template: Path) -> None:
    """Another first and another last line in each file of the template's, but where the end is the team's."""
    for name in files_of_the_template(template):
        file = template / SERVICE_FOLDER / name
        comment = {".md": "<!-- {} -->", ".go": "// {}", ".proto": "// {}", ".sql": "-- {}"}.get(file.suffix, "# {}")
        text = file.read_text()
        jinja = re.match(r"(\{%-.*?-%\}\n)*", text, re.DOTALL)
        assert jinja
        head, body = jinja[0], text.removeprefix(jinja[0])
        tail = "" if name in {*ENDS_OF_THE_TEAM, *WRITTEN_BY_MAKE} else f"\n{comment.format('The last line.')}\n"
        file.write_text(f"{head}{comment.format('The first line.')}\n\n{body}{tail}")


ENDS_OF_THE_TEAM = {".golangci.yml", ".gitignore"}
WRITTEN_BY_MAKE = {f"deploy/components/alerts/{name}.yaml" for name in ("alerts", "objectives")}


def files_of_the_template(template: Path) -> list[str]:
    """Return the files that are not the team's and can have comments. .gitattributes is one line that teams replace."""
    service = template / SERVICE_FOLDER
    names = {str(file.relative_to(service)) for file in service.rglob("*") if file.is_file()}
    return sorted(names - {*files_of_the_team(template), ".gitattributes", ".template", "LICENSE", "go.mod", "go.sum"})


def files_of_the_team(template: Path) -> list[str]:
    """Return the files that docs/template.md gives to the team. The example has a test, which is the team's too."""
    return [*files_of_teams((template / SERVICE_FOLDER / OWNERS).read_text()), "internal/api/greetings_test.go"]


def renamed_file(template: Path) -> None:
    folder = template / SERVICE_FOLDER / "internal/middleware"
    (folder / "observe.go").rename(folder / "requests.go")
    replace(folder / "requests.go", "package middleware\n", "package middleware // of each request\n")


def removed_file(template: Path) -> None:
    """A file that nobody edited. An edited one stays, and its team decides."""
    (template / SERVICE_FOLDER / "internal/admin/admin_test.go").unlink()


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
    replace(service / "docs/operations.md", "| `MAX_IN_FLIGHT` | `1024` |", "| `MAX_IN_FLIGHT` | `2048` |")


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
        service / "docs/operations.md",
        "| `SHUTDOWN_DELAY` ",
        "| `MAX_URL_BYTES` | `8192` | size of a URL |\n| `SHUTDOWN_DELAY` ",
    )


def new_linter(template: Path) -> None:
    """Another linter, and another exception right before those of teams."""
    linters = template / SERVICE_FOLDER / ".golangci.yml"
    replace(linters, "    - misspell\n", "    - misspell\n    - nakedret\n")
    end = "      # This is the end of the template's part."
    replace(linters, end, f"      - path: internal/clock\n        linters: [unparam]\n{end}")


def new_go_version(template: Path) -> None:
    """The first line of go.mod. What teams require stands below."""
    replace(template / SERVICE_FOLDER / "go.mod", "go_version }}.0\n", "go_version }}.1\n")


def next_version(template: Path) -> None:
    """The line that every release changes."""
    file = template / SERVICE_FOLDER / ".template"
    name, _, address = file.read_text().split()
    file.write_text(f"{name} 9.9.9 {address}\n")


CHANGES: dict[str, Change] = {
    "new file": new_file,
    "new option": new_option,
    "new import": new_import,
    "new heads and tails": new_heads_and_tails,
    "renamed file": renamed_file,
    "removed file": removed_file,
    "new question": new_question,
    "changed defaults": changed_defaults,
    "new setting": new_setting,
    "new linter": new_linter,
    "new Go version": new_go_version,
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

AUDIT = """// Package audit notes who did what.
package audit

import "log/slog"

// Log is where it is noted.
type Log struct{ logger *slog.Logger }

// New returns a Log that writes to the service's own.
func New(logger *slog.Logger) *Log { return &Log{logger} }

// Note adds a line.
func (l *Log) Note(who, did string) { l.logger.Info("audit", "who", who, "did", did) }
"""
