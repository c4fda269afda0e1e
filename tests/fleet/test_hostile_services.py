"""Whoever writes to a service gets nothing run, nothing changed elsewhere, no hang, and no false row."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fleet.git import git as safe_git
from fleet.git import safe_environment
from tests.support.fleets import ANSWERS_OF_1_0, FIRST_RELEASE, Fleet, link, release_commit
from tests.support.machine import skip
from tests.support.repository import commit, git, has_history, init_repository
from tests.support.team_edits import write

pytestmark = pytest.mark.long

DEEP = "/".join("d" * 1200)  # deeper than functions of Python call themselves
EVERYTHING = ["--branch", "--refresh", "--drafts", "--run", "true"]


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A file that is there when something of a service has run."""
    return tmp_path / "ran"


@pytest.fixture
def script(ran: Path, tmp_path: Path) -> str:
    """A program that writes the file."""
    program = tmp_path / "program"
    write(program, f"#!/bin/sh\ntouch {ran}\nexit 1\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    "address", ["./vendored", ".\\vendored", "file://{old}/vendored", "ext::{script}", "{old}/vendored"]
)
def test_another_template_is_not_followed(fleet: Fleet, old: Path, ran: Path, script: str, address: str) -> None:
    shutil.copytree(fleet.template, old / "vendored")
    write(old / "vendored/hooks/post_gen_project.py", f"open({str(ran)!r}, 'w')\n")
    commit(old / "vendored", "Hooks that run")
    shutil.rmtree(old / "vendored/.git")
    link(old, template=address.format(old=old, script=script))
    commit(old, "Vendor something")
    assert fleet.row(old, *EVERYTHING)["state"] == "update"
    assert not ran.exists()


def test_a_commit_that_is_not_in_the_history_is_not_baked(fleet: Fleet, old: Path, ran: Path) -> None:
    """A clone of the template has the branches of others, which nobody has reviewed."""
    git(fleet.template, "switch", "-qc", "pull-request")
    write(fleet.template / "hooks/post_gen_project.py", f"open({str(ran)!r}, 'w')\n")
    commit(fleet.template, "Hooks that run")
    unreviewed = git(fleet.template, "rev-parse", "HEAD").strip()
    git(fleet.template, "switch", "-q", "-")
    for name in (unreviewed, "1" * 40):
        link(old, commit=name)
        commit(old, "Look there")
        expected = (
            f"failed: made from {name[:12]}, a commit that the history of this clone of the template does not have"
        )
        assert fleet.row(old, *EVERYTHING)["outcome"] == expected
    assert not ran.exists()


SKIPS = [
    '[tool.cruft]\nskip = ["VICTIM"]\n',
    '[tool."cruft"]\nskip = ["VICTIM"]\n',
    '["tool"."\\u0063ruft"]\nskip = ["../../victim", "*"]\n',
    'tool.cruft.skip = ["VICTIM"]\n',
    'tool = { cruft = { skip = ["VICTIM"] } }\n',
]


@pytest.mark.parametrize("settings", SKIPS)
def test_settings_of_cruft_delete_nothing(fleet: Fleet, old: Path, tmp_path: Path, settings: str) -> None:
    victim = tmp_path / "victim"
    write(victim / "photos.txt", "Irreplaceable.\n")
    write(old / "pyproject.toml", settings.replace("VICTIM", str(victim)))
    link(old, skip=[str(victim), "../../victim", "../**"])
    commit(old, "A mistake, or worse")
    assert fleet.row(old, *EVERYTHING)["state"] == "update"
    assert (victim / "photos.txt").exists()


def test_a_link_that_is_a_symbolic_link_is_not_followed(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    """The target of a symbolic link is a text, which may be JSON itself."""
    content = json.dumps(json.loads((old / ".cruft.json").read_text()))[:4000]
    write(tmp_path / "elsewhere.json", content)
    for target in (str(tmp_path / "elsewhere.json"), '{"commit": "", "context": {"cookiecutter": {}}}'):
        (old / ".cruft.json").unlink()
        (old / ".cruft.json").symlink_to(target)
        commit(old, "A symbolic link")
        assert fleet.row(old, *EVERYTHING)["state"] == "unlinked"


@pytest.mark.parametrize(
    "names", [[".cruft.json"], [".template", "Makefile", "pyproject.toml", "go.mod", "CODEOWNERS"]]
)
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "pipe"])
def test_devices_and_pipes_are_not_read(fleet: Fleet, old: Path, names: list[str], target: str) -> None:
    for name in names:
        (old / name).unlink(missing_ok=True)
        os.mkfifo(old / name) if target == "pipe" else (old / name).symlink_to(target)
    if target != "pipe":  # git does not commit one
        commit(old, "Devices")
    assert fleet.row(old, *EVERYTHING)["state"] in {"update", "conflict", "unlinked"}


@pytest.mark.parametrize("name", ["HEAD", "config", "packed-refs", "shallow", "commondir", "objects/info/alternates"])
@pytest.mark.parametrize("target", ["/dev/zero", "pipe"])
def test_a_repository_of_devices_and_pipes_is_refused(fleet: Fleet, old: Path, name: str, target: str) -> None:
    file = old / ".git" / name
    file.unlink(missing_ok=True)
    os.mkfifo(file) if target == "pipe" else file.symlink_to(target)
    assert fleet.row(old, *EVERYTHING)["outcome"] == f"failed: its .git has a pipe or a device: {file.name}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "broken"),
        ("[" * 100_000, "broken"),
        ('{"a": ' * 100_000, "broken"),
        ("[]", "broken"),
        ('{"commit": 1, "context": {"cookiecutter": {}}}', "broken"),
        (b"\xff\xfe", "not UTF-8"),
        ("x" * 2_000_000, "larger than 1024 KiB"),
        ({"commit": "HEAD"}, "does not name a commit by its hash"),
        ({"commit": "--help"}, "does not name a commit by its hash"),
        ({"directory": "/proc/self/cwd"}, 'has a "directory"'),
        ({"skip": {"a": 1}}, "broken"),
        ({"skip": [1]}, '"skip" in its .cruft.json is not a list of paths'),
        ({"context": {"cookiecutter": {"description": ["a"]}}}, '"description" in its .cruft.json is no text'),
        ({"context": {"cookiecutter": {"description": "a" * 1001}}}, '"description" in its .cruft.json is no text'),
        ({"context": {"cookiecutter": {"license": "GPL"}}}, '"license" in its .cruft.json must be proprietary'),
        ({"context": {"cookiecutter": {"service_name": "../../x"}}}, "These answers cannot be used"),
        ({"template": "\ud800"}, "broken"),
    ],
)  # fmt: skip
def test_a_link_of_another_form_is_refused(fleet: Fleet, old: Path, content: object, reason: str) -> None:
    if isinstance(content, dict):
        link(old, **content)
    else:
        (old / ".cruft.json").write_bytes(content if isinstance(content, bytes) else str(content).encode())
    commit(old, "A mistake, or worse")
    row = fleet.row(old, *EVERYTHING)
    assert row["state"] == "failed"
    assert reason in row["outcome"]


@pytest.mark.parametrize("version", ["9.0.0", "1.0.0", "the first commit"])
def test_answers_do_not_run(fleet: Fleet, old: Path, ran: Path, version: str) -> None:
    """1.0.0 takes answers for templates, and the commits before it have hooks that do."""
    if version != "9.0.0" and not has_history():
        skip("this clone has no history")
    made_from = {
        "9.0.0": release_commit(fleet.template, "9.0.0"),
        "1.0.0": git(fleet.template, "rev-parse", FIRST_RELEASE),
        "the first commit": git(fleet.template, "rev-list", "--max-parents=0", "HEAD"),
    }[version].strip()
    content = json.loads((old / ".cruft.json").read_text())["context"]["cookiecutter"]
    text = "{{ cycler.__init__.__globals__.os.system('touch " + str(ran) + "') }}"
    answers = {**content, "description": text, "_extensions": ["os"], text: text}
    link(old, commit=made_from, context={"cookiecutter": answers})
    commit(old, "A mistake, or worse")
    row = fleet.row(old, *EVERYTHING)
    assert not ran.exists()
    assert row["state"] == ("update" if version == "9.0.0" else "failed")


def test_answers_that_a_service_seems_to_be_made_with_do_not_run(fleet: Fleet, first: Path, ran: Path) -> None:
    text = "{{ cycler.__init__.__globals__.os.system('touch " + str(ran) + "') }}"
    description = ANSWERS_OF_1_0["description"]
    for file in filter(Path.is_file, first.rglob("*")):
        for written in (description, json.dumps(description)[1:-1]):
            file.write_text(file.read_text().replace(written, text))
    init_repository(first)
    row = Fleet(fleet.template, ("link",)).row(first)
    assert "its description has code that its version of the template would run" in row["outcome"]
    assert not ran.exists()


def test_names_of_folders_forge_no_rows(fleet: Fleet, old: Path) -> None:
    names = ["two\nlines   9.2.0    0  up to date", "\x1b[2K\rred", "b\udcffytes", "right\u202eleft", "-option", "a b"]
    for name in names:
        shutil.copytree(old, old.parent / name)
    done = fleet.run(old.parent, "--branch")
    assert len(done.stdout.splitlines()) == len(names) + 4
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert "two\\nlines" in done.stdout
    rows = fleet.rows(old.parent)
    assert set(rows) == {*names, "old"}
    assert {row["branch_state"] for row in rows.values()} == {"up to date"}
    assert all(Path(row["path"]).is_dir() for row in rows.values())


def test_no_setting_and_no_hook_of_a_repository_runs(fleet: Fleet, old: Path, ran: Path, script: str) -> None:
    write(old / ".gitattributes", "* filter=evil diff=evil merge=evil\n")
    write(old / "AGENTS.md", "Ours.\n")
    commit(old, "Attributes")
    programs = [
        "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.alternateRefsCommand", "core.askPass",
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.external", "diff.evil.command",
        "diff.evil.textconv", "merge.evil.driver", "gpg.program", "gpg.ssh.program", "gpg.x509.program",
        "credential.helper", "remote.origin.uploadpack", "remote.origin.receivepack", "sequence.editor",
        "trailer.evil.command", "uploadpack.packObjectsHook", "interactive.diffFilter", "alias.rev-parse",
    ]  # fmt: skip
    for name in programs:
        git(old, "config", name, script if name != "alias.rev-parse" else f"!{script}")
    for name in ("commit.gpgSign", "tag.gpgSign", "remote.origin.promisor", "core.logAllRefUpdates"):
        git(old, "config", name, "true")
    git(old, "config", "remote.origin.url", f"ext::{script}")
    git(old, "config", "extensions.partialClone", "origin")
    for name in ("post-checkout", "pre-commit", "commit-msg", "reference-transaction", "post-index-change", "pre-push"):
        shutil.copy(script, old / ".git/hooks" / name)
    git_hooks = old / ".git/hooks"
    with (old / ".git/config").open("a") as config:
        config.write(f"[core]\n\thooksPath = {git_hooks}\n")
    row = fleet.row(old, *EVERYTHING, "--push", "--open")
    assert row["branch"] == "template-9.2.0-draft"
    assert "not pushed: " in row["outcome"]
    assert not ran.exists()


def test_missing_objects_are_not_fetched(fleet: Fleet, old: Path, ran: Path, script: str) -> None:
    """A partial clone fetches them from whatever its settings name."""
    git(old, "config", "remote.origin.promisor", "true")
    git(old, "config", "remote.origin.url", str(old))
    git(old, "config", "remote.origin.uploadpack", script)
    git(old, "config", "extensions.partialClone", "origin")
    assert safe_git(old, "cat-file", "-e", "1" * 40, environment=safe_environment()).status
    git(old, "repack", "-adq")
    for pack in (old / ".git/objects/pack").iterdir():
        pack.unlink()
    assert fleet.row(old, *EVERYTHING)["state"] == "failed"
    assert not ran.exists()


@pytest.mark.parametrize("place", ["refs/heads", "logs", "objects/pack", "objects", "refs"])
def test_nothing_is_written_through_symbolic_links(fleet: Fleet, old: Path, tmp_path: Path, place: str) -> None:
    git(old, "config", "core.logAllRefUpdates", "always")
    (tmp_path / "elsewhere").mkdir()
    folder = old / ".git" / place
    folder.rename(tmp_path / "elsewhere/kept") if folder.exists() else (tmp_path / "elsewhere/kept").mkdir()
    folder.symlink_to(tmp_path / "elsewhere/kept")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    assert fleet.row(old, *EVERYTHING)["outcome"].endswith("is a symbolic link")
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


@pytest.mark.parametrize("place", ["logs/refs/heads/template-9.2.0", "refs/heads/template-9.2.0"])
def test_a_file_that_a_branch_leads_to_is_not_written(fleet: Fleet, old: Path, tmp_path: Path, place: str) -> None:
    git(old, "config", "core.logAllRefUpdates", "always")
    private = tmp_path / "private"
    private.write_text(git(old, "rev-parse", "HEAD"))
    (old / ".git" / place).parent.mkdir(parents=True, exist_ok=True)
    (old / ".git" / place).symlink_to(private)
    before = private.read_text()
    assert fleet.row(old, *EVERYTHING)["state"] == "failed"
    assert private.read_text() == before


def test_another_repository_is_not_touched(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    """A .git file may lead anywhere, also to a service that nobody named."""
    private = Path(shutil.copytree(old, tmp_path / "private"))
    shutil.rmtree(old / ".git")
    write(old / ".git", f"gitdir: {private}/.git\n")
    reason = "failed: its .git leads to a repository elsewhere that does not know of it"
    assert fleet.row(old, *EVERYTHING)["outcome"] == reason
    assert "template-" not in git(private, "branch")


@pytest.mark.parametrize("way", [".git", ".git/commondir"])
def test_a_service_beside_it_is_not_touched(fleet: Fleet, old: Path, way: str) -> None:
    beside = Path(shutil.copytree(old, old.parent / "beside"))
    if way == ".git":
        shutil.rmtree(old / ".git")
        write(old / ".git", f"gitdir: {beside}/.git\n")
    else:
        write(old / way, f"{beside}/.git\n")
    rows = fleet.rows(old.parent, "--branch")
    assert rows["old"]["outcome"] == "failed: its .git leads to a repository elsewhere that does not know of it"
    assert rows["beside"]["branch_state"] == "new"


def test_a_submodule_is_a_service_like_any_other(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "shop")
    git(tmp_path / "shop", "-c", "protocol.file.allow=always", "submodule", "-q", "add", str(old), "orders")
    commit(tmp_path / "shop", "Orders")
    assert fleet.rows(tmp_path / "shop", "--branch")["orders"]["branch_state"] == "new"


def test_a_committed_folder_is_no_repository(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    """HEAD, objects and refs are enough for git. Then its settings lead to the files of others."""
    private = Path(shutil.copytree(old, tmp_path / "private"))
    folder = old.parent / "folder"
    shutil.copytree(private / ".git", folder, ignore=shutil.ignore_patterns("objects"))
    write(folder / "objects/info/alternates", f"{private}/.git/objects\n")
    write(folder / "svc/.template", (old / ".template").read_text())
    assert "cannot use bare repository" in fleet.rows(old.parent, *EVERYTHING)["folder/svc"]["outcome"]


def test_objects_of_another_repository_are_not_published(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(old), "thief")
    assert "borrows objects of another" in fleet.row(tmp_path / "thief", "--push")["outcome"]


def test_a_branch_that_is_another_name_for_one_is_not_followed(fleet: Fleet, old: Path) -> None:
    before = git(old, "rev-parse", "HEAD")
    write(old / ".git/refs/heads/template-9.2.0", "ref: refs/heads/master\n")
    git(old, "switch", "-q", "--detach")
    assert fleet.row(old, *EVERYTHING)["state"] == "failed"
    assert git(old, "rev-parse", "refs/heads/master") == before


@pytest.mark.parametrize("address", ["ext::{script}", "{vendored}", "file://{vendored}", "--receive-pack={script}"])
def test_a_branch_is_pushed_to_servers_alone(fleet: Fleet, old: Path, ran: Path, script: str, address: str) -> None:
    vendored = old / "vendored.git"
    git(old, "init", "-q", "--bare", str(vendored))
    shutil.copy(script, vendored / "hooks/pre-receive")
    git(old, "config", "remote.origin.url", address.format(script=script, vendored=vendored))
    row = fleet.row(old, "--push", "--open")
    assert (row["branch"], row["pushed"]) == ("template-9.2.0", False)
    assert not ran.exists()
    assert git(vendored, "for-each-ref") == ""


def test_a_bomb_of_folders_ends_soon(fleet: Fleet, old: Path) -> None:
    """Ten folders of ten folders and so on are ten objects, and ten billion files."""

    def hash_object(kind: str, content: bytes) -> str:
        command = ["git", "hash-object", "-t", kind, "-w", "--stdin"]
        return subprocess.run(command, cwd=old, input=content, check=True, capture_output=True).stdout.decode().strip()

    inner, mode = hash_object("blob", b"boom\n"), "100644"
    for _ in range(10):
        raw = bytes.fromhex(inner)
        inner = hash_object("tree", b"".join(f"{mode} {n}\0".encode() + raw for n in range(10)))
        mode = "40000"
    git(old, "read-tree", "HEAD")
    root = git(old, "ls-tree", "HEAD") + f"040000 tree {inner}\tbomb\n"
    made = subprocess.run(["git", "mktree"], cwd=old, input=root.encode(), check=True, capture_output=True).stdout
    git(
        old, "reset", "-q", "--soft", git(old, "commit-tree", made.decode().strip(), "-p", "HEAD", "-m", "Boom").strip()
    )
    assert fleet.row(old, *EVERYTHING)["state"] == "failed"


def test_patterns_without_end_are_refused(fleet: Fleet, old: Path) -> None:
    link(old, skip=[f"*{number}*{number}*" for number in range(50_000)])
    commit(old, "A mistake, or worse")
    assert fleet.row(old, *EVERYTHING)["outcome"] == 'failed: "skip" in its .cruft.json has more than 1000 paths'


def test_folders_in_folders_without_end_do_not_stop_the_others(fleet: Fleet, old: Path) -> None:
    subprocess.run(["mkdir", "-p", f"deep/{DEEP}"], cwd=old.parent, check=True)
    assert fleet.rows(old.parent)["old"]["state"] == "update"
    subprocess.run(["rm", "-r", old.parent / "deep"], check=True)  # pytest cannot


def test_a_result_that_cannot_be_removed_does_not_hide_the_rows(fleet: Fleet, old: Path) -> None:
    assert fleet.row(old, "--run", f"mkdir -p {DEEP}", TMPDIR=str(old.parent))["run"] == "passed"
    for folder in old.parent.glob("fleet-*"):
        subprocess.run(["rm", "-r", folder], check=True)  # pytest cannot


def test_one_hostile_service_does_not_stop_the_others(fleet: Fleet, old: Path) -> None:
    shutil.copytree(old, old.parent / "hostile")
    (old.parent / "hostile/.git/HEAD").write_bytes(b"\0" * 1000)
    rows = fleet.rows(old.parent, "--branch")
    assert [rows[name]["state"] for name in ("hostile", "old")] == ["failed", "update"]
