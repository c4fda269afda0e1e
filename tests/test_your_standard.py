"""docs/your-standard.md, as a team goes through it: its answers in a config, its patches in a fork."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import wire
import yaml
from canary import CANARIES, run_by_jinja, sung
from conftest import CHOICES, TEMPLATE, Bake, Baked, go_environment, questions
from test_documents import rows
from test_prompt import ENTER, Terminal
from ways import commit_all, cookiecutter, cruft, git, installed, published

from tools.service import Service

PAGE = (TEMPLATE / "docs/your-standard.md").read_text(encoding="utf-8")
UPSTREAM = re.findall(r"^git remote add upstream (\S+)$", PAGE, re.MULTILINE)[0]
SERVICE = "{{cookiecutter.service_name}}"
PLACEHOLDER = "{{ cookiecutter.service_name }}"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


(CONFIG,) = blocks("yaml")
SCRIPT, NAMING, PRIVATE_HOST, FOLLOWING = blocks("sh")
REGISTRY, FIELD, FILE = blocks("diff")
FIELD_ROW, *FILE_ROWS, PRIVATE_ROW = (
    [cell.strip("`") for cell in row] for row in rows(PAGE, "| file | after the line | add the line |")
)

name = (TEMPLATE / SERVICE / ".template").read_text().split()[0]
of_patches = pytest.mark.skipif(name != UPSTREAM.split("/")[-1], reason="a fork has the patches in it")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config of the page, in the variable that names it, with folders for what Cookiecutter keeps."""
    (tmp_path / "cloned").mkdir()
    folders = f"cookiecutters_dir: {tmp_path}/cloned\nreplay_dir: {tmp_path}/replay\n"
    file = tmp_path / "cookiecutter.yaml"
    file.write_text(folders + CONFIG)
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(file))
    return file


def answer(config: Path, question: str, text: str) -> None:
    """Put another answer into a config."""
    content = yaml.safe_load(config.read_text())
    content["default_context"][question] = text
    config.write_text(json.dumps(content))


def assert_as_configured(service: Baked) -> None:
    answers = yaml.safe_load(CONFIG)["default_context"]
    module = answers["module_path"].replace(PLACEHOLDER, service.path.name)
    assert service.read("go.mod").startswith(f"module {module}\n")
    assert service.read("CODEOWNERS").endswith(f"* {answers['owner']}\n")
    assert f"[{answers['license']}](LICENSE)" in service.read("README.md")
    assert f"/{answers['base_image']}/" in images(service)[-1]


def images(service: Baked) -> list[str]:
    return re.findall(r"^FROM (?:--platform=\S+ )?(\S+)", service.read("Dockerfile"), re.MULTILINE)


def test_cookiecutter_takes_the_answers_by_the_variable(config: Path, folder: Path) -> None:
    told = cookiecutter(folder, "--no-input", "service_name=orders")
    assert told.returncode == 0, told.stderr
    assert_as_configured(Baked(folder / "orders"))


def test_cookiecutter_takes_the_answers_by_the_option(
    config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COOKIECUTTER_CONFIG")
    told = cookiecutter(folder, "--no-input", "--config-file", str(config), "service_name=orders")
    assert told.returncode == 0, told.stderr
    assert_as_configured(Baked(folder / "orders"))


@pytest.mark.parametrize("by", ["variable", "option"])
def test_cruft_takes_the_answers(
    config: Path, repository: Path, folder: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = ["--config-file", str(config)] if by == "option" else []
    if option:
        monkeypatch.delenv("COOKIECUTTER_CONFIG")
    name = json.dumps({"service_name": "orders"})
    told = cruft(folder, "create", str(repository), "--no-input", *option, "--extra-context", name)
    assert told.returncode == 0, told.stderr
    assert_as_configured(Baked(folder / "orders"))


def test_the_script_takes_the_answers_that_lie_beside_it(config: Path, repository: Path, folder: Path) -> None:
    script = config.parent / "new-service"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    path = f"{Path(installed('cookiecutter')).parent}:{os.environ['PATH']}"
    environment = {**published(repository), "PATH": path, "COOKIECUTTER_CONFIG": "none"}
    subprocess.run([script, "--no-input", "service_name=orders"], cwd=folder, env=environment, check=True)
    assert_as_configured(Baked(folder / "orders"))


def test_a_person_sees_the_answers_as_defaults(config: Path, folder: Path) -> None:
    terminal = Terminal(folder)
    shown = terminal.answer("orders", *[ENTER] * (len(questions()) - 1))
    assert terminal.end()[0] == 0
    for default in ("(git.example/acme/orders): ", "(@acme/platform-team): ", " 1 - distroless: ", " 1 - Apache-2.0: "):
        assert default in shown
    assert_as_configured(Baked(folder / "orders"))


@pytest.mark.parametrize(
    ("question", "bad"),
    [
        ("owner", "platform-team"),
        ("module_path", "git.example/acme/{{cookiecutter.service_name}}"),
        ("service_name", f"{PLACEHOLDER}-api"),
        ("license", "GPL"),
        ("base_image", "ubuntu"),
    ],
)
def test_a_bad_answer_is_refused_by_the_name_of_its_question(
    config: Path, folder: Path, question: str, bad: str
) -> None:
    answer(config, question, bad)
    told = cookiecutter(folder, "--no-input")
    assert told.returncode == 1
    assert f"\n{question}={bad!r}: " in told.stderr
    assert "Traceback" not in told.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        *(text for text, _, run in CANARIES if run is run_by_jinja),
        "{{ cookiecutter.service_name | upper }}",
        '" ~ cycler.__init__.__globals__.os.mkdir("canary") ~ "',
        "\\",
    ],
)
def test_nothing_but_the_name_is_rendered_in_a_config(config: Path, folder: Path, text: str) -> None:
    answer(config, "description", f"{PLACEHOLDER}{text}{PLACEHOLDER}")
    told = cookiecutter(folder, "--no-input", "service_name=orders")
    assert told.returncode == 0, told.stderr
    described = yaml.safe_load((folder / "orders/internal/api/openapi.yaml").read_text())["info"]["summary"]
    assert described == f"orders{text}orders"
    assert sung(folder) == []


def test_what_is_typed_is_never_rendered(config: Path, folder: Path) -> None:
    answer(config, "description", PLACEHOLDER)
    told = cookiecutter(folder, "--no-input", f"description={PLACEHOLDER}")
    assert told.returncode == 0, told.stderr
    described = yaml.safe_load((folder / "my-service/internal/api/openapi.yaml").read_text())["info"]["summary"]
    assert described == PLACEHOLDER


def test_cruft_update_takes_the_answer_to_a_new_question_and_keeps_the_others(
    config: Path, repository: Path, folder: Path
) -> None:
    assert cruft(folder, "create", str(repository), "--no-input").returncode == 0
    service = Baked(folder / "my-service")
    commit_all(service.path)
    asked = json.loads((repository / "cookiecutter.json").read_text())
    (repository / "cookiecutter.json").write_text(json.dumps({"region": "north", **asked}))
    git(repository, "commit", "-qam", "Ask for the region")
    answer(config, "region", "south")
    answer(config, "owner", "@acme/others")
    told = cruft(service.path, "update", "--skip-apply-ask")
    assert told.returncode == 0, told.stderr
    assert json.loads(service.read(".cruft.json"))["context"]["cookiecutter"]["region"] == "south"
    assert_as_configured(service)


def apply(template: Path, patch: str) -> None:
    subprocess.run(["git", "apply"], cwd=template, input=patch, text=True, check=True)


def add_row(template: Path, row: list[str]) -> None:
    """Add a line as a row of the page says, indented as the line that follows."""
    name, before, line = row
    lines = (template / name).read_text(encoding="utf-8").splitlines()
    (at,) = [number for number, text in enumerate(lines, start=1) if text.strip() == before]
    lines.insert(at, lines[at][: -len(lines[at].lstrip())] + line)
    (template / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def type_in(template: Path, commands: str, upstream: Path) -> subprocess.CompletedProcess[str]:
    """Run commands of the page where the address of upstream leads to a repository of this machine."""
    return subprocess.run(
        ["bash", "-ec", commands], cwd=template, env=published(upstream), capture_output=True, text=True
    )


def baked(template: Path, folder: Path, *answers: str) -> Baked:
    told = cookiecutter(folder, "--no-input", *answers, template=str(template))
    assert told.returncode == 0, told.stderr
    (service,) = folder.iterdir()
    return Baked(service)


@of_patches
@pytest.mark.parametrize("base", CHOICES["base_image"])
def test_every_image_comes_from_the_registry(repository: Path, folder: Path, bake: Bake, base: str) -> None:
    apply(repository, REGISTRY)
    public = images(bake(base_image=base))
    assert len(public) == 2
    mirrored = [image if image == "scratch" else f"registry.example/{image}" for image in public]
    assert images(baked(repository, folder, f"base_image={base}")) == mirrored


@of_patches
def test_every_line_of_the_log_has_the_field(repository: Path, folder: Path) -> None:
    apply(repository, FIELD)
    service = baked(repository, folder, "service_name=orders")
    service.make("test")
    with Service(service.build()) as running:
        wire.ask(running.address(), "GET", "/none")
        running.stop()
    assert {"listening", "request", "stopped"} <= {line["msg"] for line in running.lines}
    assert {line["service"] for line in running.lines} == {"orders"}


@of_patches
def test_every_service_has_the_file(repository: Path, folder: Path) -> None:
    apply(repository, FILE)
    for row in FILE_ROWS:
        add_row(repository, row)
    updates = yaml.safe_load(baked(repository, folder).read(".github/dependabot.yml"))
    assert updates["updates"][0]["package-ecosystem"] == "docker"
    git(repository, "add", ".")
    assert_tests_pass(
        repository,
        "test_bake.py::test_every_combination_has_its_files_and_no_leftovers",
        "test_house.py::test_what_has_no_jinja_is_copied_and_not_rendered",
        "test_documents.py::test_the_readme_lists_what_comes_out",
    )


def assert_tests_pass(template: Path, *tests: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]
    done = subprocess.run(command, cwd=template, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@of_patches
def test_modules_of_the_private_host_are_not_asked_of_a_proxy(repository: Path, folder: Path, tmp_path: Path) -> None:
    add_row(repository, PRIVATE_ROW)
    service = baked(repository, folder)
    library = tmp_path / "library"
    library.mkdir()
    (library / "go.mod").write_text("module git.example/acme/library.git\n")
    commit_all(library)
    git(library, "tag", "v1.0.0")
    (variable,) = re.findall(r"^    (GOPRIVATE=\S+) \\$", service.read("Dockerfile"), re.MULTILINE)
    environment = {
        **go_environment(), "GOPROXY": "off", "GOMODCACHE": str(tmp_path / "modules"), "GOFLAGS": "-modcacherw",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{library}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.example/acme/library",
    }  # fmt: skip
    require = ["go", "get", "git.example/acme/library.git@v1.0.0"]
    refused = subprocess.run(require, cwd=service.path, env=environment, capture_output=True, text=True)
    assert "disabled by GOPROXY=off" in refused.stderr
    subprocess.run(["env", variable, *require], cwd=service.path, env=environment, check=True)


@of_patches
def test_the_private_host_is_the_default(repository: Path, folder: Path) -> None:
    assert type_in(repository, PRIVATE_HOST, repository).returncode == 0
    service = baked(repository, folder, "service_name=orders")
    assert service.read("go.mod").startswith("module git.example/acme/orders\n")
    refused = cookiecutter(folder, "--no-input", "module_path=fmt", template=str(repository))
    assert "Try: git.example/acme/fmt" in refused.stderr


@pytest.fixture
def fork(repository: Path, tmp_path: Path) -> Path:
    """A fork with all that the page has, committed."""
    git(repository, "clone", "-q", "--bare", str(repository), str(tmp_path / "origin"))
    git(tmp_path, "clone", "-q", str(tmp_path / "origin"), str(tmp_path / "fork"))
    template = tmp_path / "fork"
    for patch in (REGISTRY, FIELD, FILE):
        apply(template, patch)
    for row in (FIELD_ROW, *FILE_ROWS, PRIVATE_ROW):
        add_row(template, row)
    for commands in (NAMING, PRIVATE_HOST):
        told = type_in(template, commands, repository)
        assert told.returncode == 0, told.stderr
    git(template, "add", ".")
    git(template, "commit", "-qm", "Be a standard of our own")
    return template


@of_patches
def test_the_tests_pass_in_a_fork(fork: Path) -> None:
    """Those that the patches touch, and those of this page, which skip what is about patches."""
    subprocess.run([sys.executable, "-m", "tools.gallery"], cwd=fork, check=True, capture_output=True)  # make gallery
    assert_tests_pass(
        fork, "test_bake.py", "test_commands.py", "test_following.py", "test_gallery.py", "test_house.py",
        "test_rules.py", "test_your_standard.py",
        "test_documents.py::test_the_readme_explains_every_question",
        "test_documents.py::test_the_readme_lists_what_comes_out",
        "test_release.py::test_each_release_stands_in_both_pages",
        "test_go.py::test_the_standard_library_is_all_it_imports",
        "test_image.py::test_hadolint_finds_nothing",
        "test_logs.py::test_a_request_is_one_line_without_its_query",
        "test_prompt.py::test_a_bad_answer_is_asked_again_with_the_suggestion_as_its_default",
        "test_prompt.py::test_the_readme_shows_a_session_as_it_happens",
    )  # fmt: skip


@pytest.fixture
def release(repository: Path, fork: Path) -> None:
    """Upstream goes on after the fork was made: in a file, by a file, and in its own version."""
    with (repository / SERVICE / "internal/middleware/middleware.go").open("a") as file:
        file.write("\n// Upstream goes on.\n")
    (repository / SERVICE / "internal/api/new.go").write_text("package api\n")
    add_row(repository, ["cookiecutter.json", '"internal/api/json_test.go",', '"internal/api/new.go",'])
    (repository / SERVICE / ".template").write_text(f"go-service-template 1.1.0 {UPSTREAM}\n")
    with (repository / "CHANGELOG.md").open("a") as file:
        file.write("\n## [1.1.0]\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "Release 1.1.0")
    git(repository, "tag", "1.1.0")


@of_patches
def test_a_fork_follows_upstream_and_keeps_its_patches(
    repository: Path, fork: Path, release: None, folder: Path, tmp_path: Path
) -> None:
    told = type_in(fork, FOLLOWING, repository)
    assert told.returncode == 0, told.stdout + told.stderr
    assert git(fork, "status", "--porcelain") == ""
    created = cruft(folder, "create", str(tmp_path / "origin"), "--checkout", "1.1.0+acme.1", "--no-input")
    assert created.returncode == 0, created.stderr
    service = Baked(folder / "my-service")
    assert service.read("internal/middleware/middleware.go").endswith("\n// Upstream goes on.\n")
    assert service.read("internal/api/new.go") == "package api\n"
    assert service.read(".template") == "acme-service 1.1.0+acme.1 https://git.example/acme/go-service\n"
    assert "cruft link https://git.example/acme/go-service " in service.read("README.md")
    assert all(image.startswith("registry.example/") for image in images(service))
    assert '.With("service", "my-service")' in service.read("internal/logging/logging.go")
    assert "GOPRIVATE=git.example " in service.read("Dockerfile")
    assert ".github/dependabot.yml" in service.files()
    assert service.read("go.mod").startswith("module git.example/acme/my-service\n")


@of_patches
def test_only_the_version_is_a_conflict_where_a_clone_lacks_the_driver(
    repository: Path, fork: Path, release: None
) -> None:
    git(fork, "config", "--unset", "merge.ours.driver")
    assert type_in(fork, FOLLOWING, repository).returncode == 1
    assert git(fork, "diff", "--name-only", "--diff-filter=U") == f"{SERVICE}/.template\n"
