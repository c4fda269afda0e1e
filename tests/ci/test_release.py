"""The job that releases a tag, run as the host runs it, against a real registry."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

import pytest
import yaml

from tests.support.baking import BakedService
from tests.support.documents import blocks
from tests.support.machine import missing_engine, skip
from tests.support.pipelines import HOSTS, Runner, new_runner
from tests.support.repository import git
from tests.support.team_edits import write

pytestmark = [pytest.mark.long, pytest.mark.contract("a release")]
# Only scratch is there for arm64 too.
ANSWERS = {"base_image": "scratch", "deploy": "kubernetes", "telemetry": "prometheus"}
PROJECT = "Acme/My-Service"
VERSION = "1.2.3-rc.1"
FILES = {"notes.md", "production.yaml", "provenance.json", "sbom-amd64.cdx.json", "sbom-arm64.cdx.json", "staging.yaml"}


class Api(BaseHTTPRequestHandler):
    """GitLab's API, as far as a release needs it: it has what it was sent."""

    bodies: dict[str, bytes]  # by path; what was posted to one path is one form

    def do_PUT(self) -> None:
        assert self.headers["JOB-TOKEN"] == "job"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        before = self.bodies.get(self.path)
        self.bodies[self.path] = body if before is None else before + b"&" + body
        self.send_response(201)
        self.end_headers()

    do_POST = do_PUT  # noqa: N815

    def do_GET(self) -> None:
        self.send_response(200 if self.path in self.bodies or self.path.endswith("/links") else 404)
        self.end_headers()
        self.wfile.write(unquote_to_bytes(self.bodies.get(self.path, b"")))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def gitlab_api() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The address of an API, and what it was sent."""
    bodies: dict[str, bytes] = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("ThisApi", (Api,), {"bodies": bodies})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/v4", bodies
        server.shutdown()


@dataclass
class Release:
    """What a release left behind."""

    service: BakedService
    image: str  # as the registry of this machine knows it
    keys: Path
    published: dict[str, str]  # the text of each file

    def verify(self, *words: str, key: str = "cosign.pub", status: int = 0) -> str:
        """Verify a signature or an attestation by the key."""
        options = [f"--key={self.keys / key}", "--insecure-ignore-tlog=true"]
        return self.service.run("cosign", words[0], *options, *words[1:], status=status)

    def attested(self, kind: str, image: str) -> Any:
        """Return the predicate of an attestation."""
        found = re.findall(r'"payload":"([^"]+)"', self.verify("verify-attestation", f"--type={kind}", image))
        return json.loads(base64.b64decode(found[-1]))["predicate"]

    def image_of(self, digest: str) -> str:
        """Return the name of another image of the same repository."""
        return f"{self.image.partition('@')[0]}@{digest}"

    def platforms(self) -> dict[str, str]:
        """Return the digest of the image for each platform of the index."""
        index = json.loads(self.service.run("crane", "manifest", self.image))
        platforms = {item["digest"]: item["platform"] for item in index["manifests"]}
        return {f"{platform['os']}/{platform['architecture']}": digest for digest, platform in platforms.items()}


def prepared(folder: Path, host: str, keys: Path, kustomize: str) -> Runner:
    """A repository with two releases. Cosign signs with a key, in place of the pipeline's identity."""
    runner = new_runner(folder, ci=host, **ANSWERS)
    clone = runner.service.path
    (clone / "README.md").write_text("# Another\n")
    git(clone, "commit", "-qam", "Say `$(touch never)` in the README")
    git(clone, "tag", f"v{VERSION}")
    options = f"--key={keys}/cosign.key --signing-config={keys}/config.json --trusted-root={keys}/root.json"
    runner.stand_in("cosign", f'exec {shutil.which("cosign")} "$1" {options} "${{@:2}}"')
    runner.stand_in("docker", f'[ "$1" = login ] || exec {shutil.which("docker")} "$@"')
    runner.stand_in("apt-get", "")
    runner.variables |= {"COSIGN_PASSWORD": "", "MAKEFLAGS": kustomize}
    return runner


def on_github(runner: Runner, registry: str) -> dict[str, str]:
    """Run the job on GitHub. Its registry, ghcr.io, is the one of this machine. Return what was published."""
    workflow = runner.service.path / ".github/workflows/release.yml"
    workflow.write_text(workflow.read_text().replace("ghcr.io/", f"{registry}/"))
    runner.stand_in("gh", '[ "$2" != view ]')  # there is no release yet
    runner.variables |= {
        "GH_TOKEN": "secret",
        "GITHUB_ACTOR": "somebody",
        "GITHUB_REF_NAME": f"v{VERSION}",
        "GITHUB_REPOSITORY": PROJECT,
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_RUN_ID": "7",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_WORKFLOW_REF": f"{PROJECT}/.github/workflows/release.yml@refs/tags/v{VERSION}",
    }
    runner.run("release")
    _, create = runner.calls("gh").splitlines()
    options = f"--verify-tag --prerelease --title v{VERSION} --notes-file bin/release/notes.md "
    assert create.startswith(f"release create v{VERSION} {options}")
    return {name: runner.service.read(f"bin/release/{name}") for name in re.findall(r"bin/release/(\S+)", create)}


def on_gitlab(runner: Runner, registry: str) -> dict[str, str]:
    """Run the job on GitLab, whose API takes what is published. Return that."""
    with gitlab_api() as (api, bodies):
        runner.variables |= {
            "CI_API_V4_URL": api,
            "CI_COMMIT_TAG": f"v{VERSION}",
            "CI_JOB_TOKEN": "job",
            "CI_JOB_URL": f"https://gitlab.com/{PROJECT}/-/jobs/7",
            "CI_PROJECT_ID": "42",
            "CI_PROJECT_URL": f"https://gitlab.com/{PROJECT}",
            "CI_REGISTRY": registry,
            "CI_REGISTRY_IMAGE": f"{registry}/{PROJECT.lower()}",
            "CI_REGISTRY_PASSWORD": "secret",
            "CI_REGISTRY_USER": "somebody",
        }
        runner.run("release")
    release = bodies.pop("/api/v4/projects/42/releases")
    form = parse_qs(release.decode())
    assert form["tag_name"] == [f"v{VERSION}"]
    links = parse_qs(bodies.pop(f"/api/v4/projects/42/releases/v{VERSION}/assets/links").decode())
    files = {
        path.removeprefix(f"/api/v4/projects/42/packages/generic/release/{VERSION}/"): text
        for path, text in bodies.items()
    }
    assert links["name"] == list(files)
    assert links["url"] == [f"{api.removesuffix('/api/v4')}{path}" for path in bodies]
    return {"notes.md": form["description"][0], **{name: text.decode() for name, text in files.items()}}


@pytest.fixture(scope="module", params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def release(
    host: str, registry: str, keys: Path, kustomize: str, modules: None, tmp_path_factory: pytest.TempPathFactory
) -> Release:
    """A release by the job of its host."""
    if reason := missing_engine():
        skip(f"no container engine: {reason}")
    runner = prepared(tmp_path_factory.mktemp(host), host, keys, kustomize)
    published = (on_github if host == "github" else on_gitlab)(runner, registry)
    image = f"{registry}/{PROJECT.lower()}@{runner.service.read('bin/release/digest').strip()}"
    return Release(runner.service, image, keys, published)


def test_the_image_is_an_index_of_both_architectures(release: Release) -> None:
    assert release.platforms().keys() == {"linux/amd64", "linux/arm64"}
    tagged = release.image.partition("@")[0] + f":{VERSION}"
    assert release.service.run("crane", "digest", tagged).strip() == release.image.partition("@")[2]
    for platform, digest in release.platforms().items():
        config = json.loads(release.service.run("crane", "config", release.image_of(digest)))
        assert f"{config['os']}/{config['architecture']}" == platform
        assert config["config"]["Labels"]["org.opencontainers.image.version"] == VERSION


def test_the_binary_knows_its_version(release: Release) -> None:
    assert release.service.run("bin/release/service-amd64", "-version").strip() == f"my-service {VERSION}"


def test_the_release_has_its_files_and_notes(release: Release) -> None:
    assert release.published.keys() == FILES
    notes = release.published["notes.md"]
    assert release.image.rpartition("@")[2] in notes
    assert "- Say `$(touch never)` in the README (" in notes
    assert notes.count("\n- ") == 1, "the commits of the release before are there again"
    assert not list(release.service.path.rglob("never"))


def test_an_sbom_names_every_module_of_its_binary(release: Release) -> None:
    for name in ("amd64", "arm64"):
        information = release.service.run("go", "version", "-m", f"bin/release/service-{name}")
        modules = set(re.findall(r"^\tdep\t(\S+)\t(\S+)", information, re.MULTILINE))
        assert modules
        sbom = json.loads(release.published[f"sbom-{name}.cdx.json"])
        assert sbom["bomFormat"] == "CycloneDX"
        assert sbom["metadata"]["component"]["version"] == VERSION
        named = {(part["name"], part["version"]) for part in sbom["components"]}
        assert named >= modules
        attested = release.attested("cyclonedx", release.image_of(release.platforms()[f"linux/{name}"]))
        assert attested["components"] == sbom["components"]


def test_the_index_and_each_image_are_signed(release: Release) -> None:
    for image in [release.image, *map(release.image_of, release.platforms().values())]:
        release.verify("verify", image)


def test_another_key_verifies_nothing(release: Release, tmp_path: Path) -> None:
    other = BakedService(tmp_path)
    other.run("env", "COSIGN_PASSWORD=", "cosign", "generate-key-pair")
    with pytest.raises(AssertionError):
        release.verify("verify", release.image, key=f"{tmp_path}/cosign.pub")


def test_the_provenance_says_from_which_commit_and_by_which_run(release: Release, host: str) -> None:
    predicate = release.attested("slsaprovenance1", release.image)
    source = f"https://{host}.com/{PROJECT}"
    commit = git(release.service.path, "rev-parse", "HEAD").strip()
    build = predicate["buildDefinition"]
    assert build["resolvedDependencies"] == [{"uri": f"git+{source}", "digest": {"gitCommit": commit}}]
    assert build["externalParameters"]["version"] == VERSION
    run = predicate["runDetails"]
    assert run["builder"]["id"].startswith(source)
    assert re.search(r"runs/7/attempts/1$|jobs/7$", run["metadata"]["invocationId"])


def test_the_manifests_have_the_digest_of_the_image(release: Release) -> None:
    for overlay in ("staging", "production"):
        objects = yaml.safe_load_all(release.published[f"{overlay}.yaml"])
        pods = [item["spec"]["template"]["spec"] for item in objects if item["kind"] in ("Deployment", "Job")]
        assert pods
        assert {container["image"] for pod in pods for container in pod["containers"]} == {release.image}
    assert git(release.service.path, "status", "--porcelain", "deploy") == ""


def test_the_commands_of_the_page_verify_it(release: Release, host: str) -> None:
    """They verify by the identity of the pipeline, for which this test puts the key."""
    image, page = release.image, release.service.read("docs/ci.md")
    (block,) = (block for block in blocks(page, "sh") if "cosign" in block)
    options = re.findall(r"(--certificate-\S+) (\S+)", block)
    assert [option for option, _ in options] == ["--certificate-oidc-issuer", "--certificate-identity-regexp"]
    script = block
    for option, value in options:
        assert f"{option} " in release.service.run("cosign", "verify", "--help")
        assert value.lstrip("^").startswith("https://")
        script = script.replace(f"{option} {value}", "")
    script = script.replace('"$@"', f'"$@" --key={release.keys}/cosign.pub --insecure-ignore-tlog=true').replace(
        "\\\n", ""
    )
    names = {
        "IMAGE@DIGEST_OF_ARCHITECTURE": release.image_of(release.platforms()["linux/arm64"]),
        "IMAGE@DIGEST": image,
    }
    for name, value in names.items():
        script = script.replace(name, value)
    script = script.replace("manifest inspect", "manifest inspect --insecure")  # the registry has no TLS here
    assert release.platforms()["linux/arm64"] in release.service.run("bash", "-ec", script)


@pytest.mark.parametrize("version", ["", "1.2", "1.2.3;id>never", "latest", "v1.2.3 x", "v1.2.3", "v0.1.0-dirty"])
def test_a_version_that_this_commit_does_not_have_is_refused_before_anything_is_built(
    tmp_path: Path, version: str
) -> None:
    runner = new_runner(tmp_path, ci="github")
    runner.stand_in("docker", "exit 1")
    printed = runner.type(f"make release VERSION='{version}' IMAGE=registry.example/name", status=2)
    assert f"VERSION={version.removeprefix('v')}: must be the version of a tag of this commit" in printed
    assert runner.calls("docker") == ""
    assert not (runner.service.path / "never").exists()


def test_an_image_without_a_registry_is_refused(tmp_path: Path) -> None:
    runner = new_runner(tmp_path, ci="github")
    assert "IMAGE=my-service: must have a registry" in runner.type("make release VERSION=v0.1.0", status=2)


def test_a_push_that_fails_ends_the_release_whatever_make_does_at_once(tmp_path: Path) -> None:
    runner = new_runner(tmp_path, ci="github")
    runner.stand_in("docker", '[ "$1" != push ] || { echo denied >&2; exit 1; }')
    assert "denied" in runner.type("make -j4 release VERSION=v0.1.0 IMAGE=registry.example/name", status=2)
    assert "manifest" not in runner.calls("docker")
    assert not (runner.service.path / "bin/release/notes.md").exists()


def test_a_final_release_has_the_commits_of_its_candidates(tmp_path: Path) -> None:
    runner = new_runner(tmp_path, ci="github")
    for tag in ("v0.2.0-rc.1", "v0.2.0"):
        git(runner.service.path, "commit", "-q", "--allow-empty", "-m", f"For {tag}")
        git(runner.service.path, "tag", tag)
    write(runner.service.path / "bin/release/digest", "sha256:1\n")
    runner.type("make release-notes VERSION=v0.2.0")
    notes = runner.service.read("bin/release/notes.md")
    assert re.findall("^- (.*) \\(", notes, re.MULTILINE) == ["For v0.2.0", "For v0.2.0-rc.1"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_release_that_is_there_keeps_its_notes_and_gets_the_files(tmp_path: Path, host: str) -> None:
    runner = new_runner(tmp_path, ci=host)
    write(runner.service.path / "bin/release/notes.md", "Notes\n")
    write(runner.service.path / "bin/release/provenance.json", "{}\n")
    runner.stand_in("gh", "")  # it finds the release
    with gitlab_api() as (api, bodies):
        release, links = (f"/api/v4/projects/42/releases/v0.1.0{path}" for path in ("", "/assets/links"))
        bodies[release] = b""
        runner.variables |= {"CI_API_V4_URL": api, "CI_JOB_TOKEN": "job", "CI_PROJECT_ID": "42"}
        for _ in range(2):
            runner.type("make publish VERSION=v0.1.0")
    done = [line.partition(" v0.1.0")[0] for line in runner.calls("gh").splitlines() if "view" not in line]
    assert done == (["release upload"] * 2 if host == "github" else [])
    assert bodies[release] == b""
    assert parse_qs(bodies.get(links, b"").decode()).get("name", []) == (
        ["provenance.json"] if host == "gitlab" else []
    )
