"""The manifests that kustomize renders, and a real cluster."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.baking import BakedService, bake_into
from tests.support.fixtures import Once
from tests.support.kubernetes import CLIENT_IMAGE, Cluster, Namespace, build_client, renderer, use_image
from tests.support.machine import missing_engine, skip
from tests.support.team_edits import add_routes, replace, write

KIND = "go-service-template"


@pytest.fixture(scope="session")
def kustomize() -> None:
    """The command kustomize, or kubectl, which contains it."""
    if not renderer():
        skip("neither kustomize nor kubectl is installed")


@pytest.fixture(scope="session")
def _cluster(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := missing_engine():
        skip(f"no container engine: {reason}")
    with a_cluster(tmp_path_factory.mktemp("kind") / "kubeconfig") as found:
        once("pod-client", build_client)
        found.take(CLIENT_IMAGE)
        yield found


@contextmanager
def a_cluster(kubeconfig: Path) -> Iterator[Cluster]:
    """That of KUBECONFIG, if the environment says so, or one that kind makes."""
    if os.environ.get("TEST_CLUSTER") == "1":
        load, restart = (shlex.split(os.environ.get(f"TEST_CLUSTER_{what}", "")) for what in ("LOAD", "RESTART"))
        yield Cluster(load or ["true"], restart)
    elif shutil.which("kind") and shutil.which("kubectl"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KUBECONFIG", str(kubeconfig))
            subprocess.run(["kind", "create", "cluster", "--name", KIND], check=True)
            try:
                restart = ["docker", "exec", f"{KIND}-control-plane", "systemctl", "restart", "containerd"]
                yield Cluster(["kind", "load", "docker-image", "--name", KIND], restart)
            finally:
                subprocess.run(["kind", "delete", "cluster", "--name", KIND], check=True)
    else:
        skip("no Kubernetes cluster: install kind, or set TEST_CLUSTER=1 to use that of KUBECONFIG")


@pytest.fixture
def cluster(_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster, for one test at a time."""
    with (tmp_path_factory.getbasetemp().parent / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _cluster


@pytest.fixture(scope="session")
def manifests(once: Once) -> BakedService:
    """A service with every option that changes its manifests. Tests do not change its files."""
    answers = {"deploy": "kubernetes", "telemetry": "both", "database": "postgres"}
    return BakedService(once("manifests", lambda folder: bake_into(folder, **answers)) / "my-service")


@pytest.fixture(scope="session")
def shipped(once: Once, _cluster: Cluster) -> BakedService:
    """A service whose image is in the cluster. One of its routes is slow, another uses up the memory."""
    service = BakedService(once("shipped", ship) / "my-service")
    _cluster.take("trial:0.0.1")
    return service


def ship(folder: Path) -> None:
    service = bake_into(folder, deploy="kubernetes", rpc="connect")
    write(service.path / "internal/api/trial.go", TRIAL)
    add_routes(service.path, 'r.Handle("GET /v1/slow", s.slow)', 'r.Handle("GET /v1/greedy", s.greedy)')
    ready = "func (s *Service) Ready(context.Context) error { return nil }"
    replace(service.path / "internal/api/service.go", ready, ready.replace("nil }", "unready() }"))
    use_image(service, "trial")
    service.run("docker", "build", "--quiet", "--build-arg", "VERSION=0.0.1", "--tag", "trial:0.0.1", ".")


@pytest.fixture
def service(shipped: BakedService, tmp_path: Path) -> BakedService:
    """A copy of the service whose image is in the cluster. Tests may edit its overlays."""
    return BakedService(Path(shutil.copytree(shipped.path, tmp_path / "my-service")))


@pytest.fixture
def namespace(cluster: Cluster, tmp_path: Path) -> Iterator[Namespace]:
    """A namespace that enforces the restricted Pod Security Standard, with a client in it."""
    with cluster.namespace(re.sub("[^a-z0-9]+", "-", f"{tmp_path.parent.name}-{tmp_path.name}").strip("-")[:60]) as new:
        yield new


@pytest.fixture
def running(service: BakedService, namespace: Namespace) -> BakedService:
    """That service, deployed: two copies, both ready."""
    namespace.deploy(service)
    namespace.kubectl("scale", "deployment/my-service", "--replicas=2")  # the autoscaler does so within 15 s
    namespace.wait_for_copies(2)
    return service


TRIAL = """package api

import (
	"errors"
	"net/http"
	"os"
	"time"
)

func (s *Service) slow(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(2 * time.Second)
	respond(w, http.StatusOK, nil)
}

func (s *Service) greedy(http.ResponseWriter, *http.Request) {
	var eaten [][]byte
	for {
		eaten = append(eaten, make([]byte, 1<<20))
		for i := range eaten[len(eaten)-1] {
			eaten[len(eaten)-1][i] = 1
		}
	}
}

func unready() error {
	if os.Getenv("UNREADY") != "" {
		return errors.New("it was told so")
	}
	return nil
}
"""
