"""What a real cluster says: whether it accepts the manifests, who may connect, and how a release migrates."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from go_service_answers import template
from tests.support.baking import BakedService, bake_into
from tests.support.fixtures import Bake, Once
from tests.support.kubernetes import OVERLAYS, Cluster, Namespace, render, use_components, use_image
from tests.support.machine import skip
from tests.support.postgres import Postgres
from tests.support.stateful import Migrated, add_migration
from tests.support.team_edits import replace, write

pytestmark = pytest.mark.long

# The schemas of what is not Kubernetes' own. Their modules have them as files.
SCHEMAS = {
    "sigs.k8s.io/gateway-api@v1.7.0": ["config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"],
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": [
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ],
}


@pytest.fixture
def schemas(cluster: Cluster, default: BakedService) -> Iterator[None]:
    """The schemas of the components, in the cluster. Those that it has already stay as they are."""
    added = []
    for module, files in SCHEMAS.items():
        try:
            folder = json.loads(default.run("go", "mod", "download", "-json", module))["Dir"]
        except AssertionError as failure:
            skip(f"Go modules cannot be downloaded: {failure}")
        for file in files:
            create = ["kubectl", "create", "--filename", f"{folder}/{file}"]
            if subprocess.run(create, capture_output=True).returncode == 0:
                added.append(f"{folder}/{file}")
    for file in added:
        subprocess.run(["kubectl", "wait", "--for=condition=Established", "--filename", file], check=True)
    yield
    for file in added:
        subprocess.run(["kubectl", "delete", "--filename", file], check=True)


@pytest.mark.contract("the manifests")
@pytest.mark.parametrize("database", template.choices()["database"])
@pytest.mark.parametrize("telemetry", template.choices()["telemetry"])
def test_a_restricted_namespace_accepts_all_of_it_without_a_warning(
    bake: Bake, namespace: Namespace, schemas: None, telemetry: str, database: str
) -> None:
    service = bake(deploy="kubernetes", telemetry=telemetry, database=database)
    use_components(service)
    for overlay in OVERLAYS:
        folder = f"{service.path}/deploy/overlays/{overlay}"
        namespace.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "--kustomize", folder)


@contextmanager
def other_namespace(cluster: Cluster, name: str) -> Iterator[Namespace]:
    """Another namespace with a client, of this very name."""
    if subprocess.run(["kubectl", "get", "namespace", name], capture_output=True).returncode == 0:
        skip(f"the cluster has a namespace {name} already")
    with cluster.namespace(name) as namespace:
        yield namespace
    subprocess.run(["kubectl", "wait", "--for=delete", f"namespace/{name}", "--timeout=60s"], check=True)


@pytest.mark.contract("NetworkPolicy")
def test_policies_admit_who_should_connect_and_nobody_else(
    manifests: BakedService, kustomize: None, cluster: Cluster, namespace: Namespace, tmp_path: Path
) -> None:
    """Clients stand in for the copies, for their neighbours and for what they need."""
    service = BakedService(Path(shutil.copytree(manifests.path, tmp_path / "my-service")))
    use_components(service)
    needs = namespace.add_pod("needs", postgres=5432, otlp=4318, other=8081)
    copy = namespace.add_pod("copy", "my-service", http=8080, metrics=9464, admin=9090)
    migrate = namespace.add_pod("migrate", "my-service-migrate", http=8080)
    assert namespace.client("connect", f"{copy}:9090")
    namespace.apply(*(item for item in render(service.path / "deploy/overlays/staging") if is_policy(item)))
    if not is_refused(namespace, f"{copy}:9090"):
        skip("the cluster does not enforce NetworkPolicies")

    def reached(client: Namespace, pod: str, *addresses: str) -> list[str]:
        return [address.split(":")[1] for address in addresses if client.client("connect", address, pod=pod)]

    on_copy = [f"{copy}:{port}" for port in (8080, 9464, 9090)]
    on_needs = [f"{needs}:{port}" for port in (5432, 4318, 8081)]
    assert reached(namespace, "client", *on_copy, f"{migrate}:8080") == ["8080"]
    assert reached(namespace, "copy", *on_needs, f"{name_server()}:53") == ["5432", "4318", "53"]
    assert reached(namespace, "migrate", *on_needs, f"{name_server()}:53") == ["5432", "53"]
    for name, ports in {"ingress": ["8080"], "gateway": ["8080"], "monitoring": ["9464"], "elsewhere": []}.items():
        with other_namespace(cluster, name) as other:
            assert reached(other, "client", *on_copy) == ports, name


def is_policy(item: Any) -> bool:
    return bool(item["kind"] == "NetworkPolicy")


def is_refused(namespace: Namespace, address: str) -> bool:
    """Wait a few seconds until a new policy counts."""
    for _ in range(10):
        if not namespace.client("connect", address):
            return True
        time.sleep(1)
    return False


def name_server() -> str:
    """Return the address of the cluster's DNS."""
    command = ["kubectl", "--namespace=kube-system", "get", "service/kube-dns", "--output=jsonpath={.spec.clusterIP}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def stateful(once: Once, _cluster: Cluster, modules: None, tmp_path: Path) -> BakedService:
    """A service with a database, whose image is in the cluster; trial-newer has one more migration."""

    def ship(folder: Path) -> None:
        service = bake_into(folder, deploy="kubernetes", database="postgres")
        use_image(service, "trial-database")
        for name in ("trial-database", "trial-newer"):
            service.run("docker", "build", "--quiet", "--tag", f"{name}:0.0.1", ".")
            add_migration(service)

    service = BakedService(once("shipped-database", ship) / "my-service")
    _cluster.take("trial-database:0.0.1", "trial-newer:0.0.1")
    return BakedService(Path(shutil.copytree(service.path, tmp_path / "my-service")))


@pytest.mark.contract("migrations")
def test_a_release_waits_for_its_migration(
    stateful: BakedService, namespace: Namespace, postgres_programs: None
) -> None:
    with Postgres(listen_addresses="*") as server:
        url = server.url().replace("127.0.0.1", this_machine(namespace))
        namespace.kubectl("create", "secret", "generic", "my-service", f"--from-literal=DATABASE_URL={url}")
        admit(stateful, server.port)
        namespace.deploy(stateful)
        namespace.wait_for_copies(2)
        assert server.query("SELECT count(*) FROM notes") == "0"

        use_image(stateful, "trial-newer")
        with namespace.load("/v1/notes") as seen:
            with Migrated(Path(), server, "postgres").holding("LOCK notes IN SHARE MODE"):
                assert "timed out" in namespace.deploy(stateful, "staging", "ROLLOUT_TIMEOUT=20s", status=2)
                assert namespace.ready() == [False, True, True]
            namespace.rollout()
        assert server.query("SELECT count(colour) FROM notes") == "0"
        assert seen.failed == {}


def this_machine(namespace: Namespace) -> str:
    """Return the address of this machine towards the cluster's node."""
    node = str(namespace.get("nodes")["items"][0]["status"]["addresses"][0]["address"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((node, 9))
        return str(way.getsockname()[0])


def admit(service: BakedService, port: int) -> None:
    """Let the service connect to another port than PostgreSQL's, in staging, as the page says."""
    overlay = service.path / "deploy/overlays/staging"
    write(overlay / "networkpolicy.yaml", POLICY.format(port=port))
    replace(overlay / "kustomization.yaml", "  - ../../base\n", "  - ../../base\n  - networkpolicy.yaml\n")


POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: database
spec:
  podSelector:
    matchExpressions:
      - {{key: app.kubernetes.io/name, operator: In, values: [my-service, my-service-migrate]}}
  policyTypes: [Egress]
  egress:
    - ports:
        - port: {port}
"""
