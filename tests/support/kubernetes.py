"""A Kubernetes cluster: what a test applies to it, and clients in a pod."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.support.baking import BakedService
from tests.support.prometheus import wait_until
from tests.support.team_edits import replace

CLIENT = Path(__file__).parent / "podclient/main.go"
OVERLAYS = ("staging", "production")
CLIENT_IMAGE = "pod-client:test"
RESTRICTED = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]


def client_pod(name: str, labels: dict[str, str], ports: dict[str, int]) -> dict[str, Any]:
    """Return a pod of the client, which listens on its ports, or waits for orders."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "client",
                    "image": CLIENT_IMAGE,
                    "args": ["listen", *map(str, ports.values())] if ports else [],
                    "ports": [{"name": port, "containerPort": number} for port, number in ports.items()],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def renderer() -> list[str]:
    """Return the command that renders a kustomization, or [] if there is none."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    return ["kubectl", "kustomize"] if shutil.which("kubectl") else []


def render(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a kustomization."""
    done = subprocess.run([*renderer(), str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def build_client(folder: Path) -> None:
    """Build the image of the client."""
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY client /client\nENTRYPOINT ["/client"]\n')
    machine = BakedService(folder)
    machine.run("env", "CGO_ENABLED=0", "go", "build", "-o", "client", str(CLIENT))
    machine.run("docker", "build", "--quiet", "--tag", CLIENT_IMAGE, ".")


@dataclass(frozen=True)
class Cluster:
    """A cluster, and the commands that load an image of the container engine and restart its container runtime."""

    load: list[str]
    restart: list[str]

    def take(self, *images: str) -> None:
        for image in images:
            done = subprocess.run([*self.load, image], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

    @contextmanager
    def namespace(self, name: str) -> Iterator[Namespace]:
        """Create a namespace that enforces the restricted Pod Security Standard, with a client in it."""
        namespace = Namespace(name)
        subprocess.run(["kubectl", "create", "namespace", name], check=True, capture_output=True)
        try:
            subprocess.run(["kubectl", "label", "namespace", name, *RESTRICTED], check=True, capture_output=True)
            namespace.add_pod("client")
            yield namespace
        finally:
            subprocess.run(["kubectl", "delete", "namespace", name, "--wait=false"], check=True, capture_output=True)


@dataclass
class Load:
    """What clients of a service have seen."""

    sent: int = 0
    failed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Namespace:
    """A namespace of the cluster."""

    name: str

    def kubectl(self, *words: str, given: str | None = None, status: int = 0, timeout: float = 120) -> str:
        """Run kubectl in the namespace and return what it printed. A warning of the cluster is a failure."""
        command = ["kubectl", "--namespace", self.name, *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=timeout)
        printed = done.stdout + done.stderr
        assert done.returncode == status, f"{' '.join(words)} ended with {done.returncode}:\n{printed}"
        assert "Warning" not in done.stderr, printed
        return printed

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", "--output=json", *words))

    def apply(self, *objects: object) -> None:
        self.kubectl("apply", "--filename=-", given=yaml.safe_dump_all(objects))

    def deploy(self, service: BakedService, overlay: str = "staging", *words: str, status: int = 0) -> str:
        """Type `make deploy`."""
        kubectl = f"KUBECTL=kubectl --namespace={self.name}"
        printed = service.run("make", "deploy", kubectl, f"OVERLAY={overlay}", *words, status=status)
        assert "Warning" not in printed, printed
        return printed

    def rollout(self) -> None:
        """Wait for a rollout."""
        self.kubectl("rollout", "status", "deployment/my-service", "--timeout=180s", timeout=200)

    def pods(self) -> dict[str, Any]:
        """Return the copies of the service that are not ending, by name."""
        found = self.get("pods", "--selector=app.kubernetes.io/name=my-service")["items"]
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def ready(self) -> list[bool]:
        """Return for each copy whether it is ready, those that are not first."""
        return sorted(is_ready(pod) for pod in self.pods().values())

    def wait_for_copies(self, number: int) -> None:
        """Wait for this number of copies, all ready."""
        wait_until(lambda: self.ready() == [True] * number, lambda: self.kubectl("get", "pods"), 90)

    def told_of(self, pod: str) -> str:
        """Return what `kubectl describe` and `kubectl logs` print of a pod."""
        words = [["describe", "pod", pod], ["logs", pod]]
        return "".join(
            subprocess.run(["kubectl", "--namespace", self.name, *command], capture_output=True, text=True).stdout
            for command in words
        )

    def add_pod(self, name: str, app: str = "client", **ports: int) -> str:
        """Add a client that listens on ports, or waits for orders, and return its address."""
        self.apply(client_pod(name, {"app.kubernetes.io/name": app}, ports))
        self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        return str(self.get("pod", name)["status"]["podIP"])

    def client(self, *words: str, pod: str = "client") -> bool:
        """Run the client in its pod, and return whether it succeeded."""
        command = ["kubectl", "--namespace", self.name, "exec", pod, "--", "/client", *words]
        return subprocess.run(command, capture_output=True).returncode == 0

    @contextmanager
    def load(self, *paths: str) -> Iterator[Load]:
        """Send requests to the service and count them. The result is complete at the end."""
        seen = Load()
        query = urlencode({"address": "my-service:80", "path": paths or ("/", "/v1/slow")}, doseq=True)
        self._order(f"start?{query}")
        try:
            yield seen
        finally:
            seen.__dict__.update(json.loads(self._order("stop")))
            print(seen)

    def _order(self, what: str) -> str:
        """Ask the client by way of the API server, which needs no container runtime."""
        return self.kubectl("get", "--raw", f"/api/v1/namespaces/{self.name}/pods/client:7000/proxy/{what}")


def is_ready(pod: Any) -> bool:
    conditions = {condition["type"]: condition["status"] for condition in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"


def use_image(service: BakedService, name: str, tag: str = "0.0.1") -> None:
    """Write an image into staging."""
    file = service.path / "deploy/overlays/staging/kustomization.yaml"
    image = re.sub(r"newName: \S+", f"newName: {name}", file.read_text())
    file.write_text(re.sub(r"newTag: \S+", f"newTag: {tag}", image))


def use_components(service: BakedService) -> None:
    """Name all components in both overlays."""
    names = sorted(path.name for path in (service.path / "deploy/components").iterdir())
    lines = "".join(f"  - ../../components/{name}\n" for name in names)
    for overlay in OVERLAYS:
        file = service.path / f"deploy/overlays/{overlay}/kustomization.yaml"
        replace(file, "  - ../../base\n", f"  - ../../base\ncomponents:\n{lines}")


def add_setting(service: BakedService, line: str) -> None:
    """Add a setting to staging."""
    with (service.path / "deploy/overlays/staging/settings.env").open("a") as file:
        file.write(f"{line}\n")
