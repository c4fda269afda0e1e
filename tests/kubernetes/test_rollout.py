"""What clients in the cluster see while copies of the service come and go."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.support.baking import BakedService
from tests.support.kubernetes import Cluster, Load, Namespace, add_setting, use_image
from tests.support.machine import skip
from tests.support.prometheus import wait_until

pytestmark = pytest.mark.long


@pytest.mark.contract("a rollout, a rollback, more or fewer copies")
def test_ten_restarts_lose_no_request(running: BakedService, namespace: Namespace) -> None:
    with namespace.load() as seen:
        for _ in range(10):
            namespace.kubectl("rollout", "restart", "deployment/my-service")
            namespace.rollout()
    assert seen.sent > 5_000
    assert seen.failed == {}


@pytest.mark.contract("a rollout, a rollback, more or fewer copies")
def test_scaling_from_two_to_six_and_back_loses_no_request(running: BakedService, namespace: Namespace) -> None:
    namespace.kubectl("delete", "hpa/my-service")
    with namespace.load() as seen:
        for copies in (6, 2):
            namespace.kubectl("scale", "deployment/my-service", f"--replicas={copies}")
            namespace.wait_for_copies(copies)
            gone(namespace, copies)
    assert seen.failed == {}


@pytest.mark.contract("a copy that is deleted or evicted")
@pytest.mark.parametrize("how", ["deleted", "evicted"])
def test_a_copy_that_is_taken_away_costs_no_request(running: BakedService, namespace: Namespace, how: str) -> None:
    with namespace.load() as seen:
        name = next(iter(namespace.pods()))
        if how == "deleted":
            namespace.kubectl("delete", "pod", name)
        else:
            evict(namespace, name)
            namespace.kubectl("wait", "--for=delete", f"pod/{name}", "--timeout=60s")
        namespace.wait_for_copies(2)
    assert seen.failed == {}


def test_evictions_take_one_copy_at_a_time(running: BakedService, namespace: Namespace) -> None:
    first, second = namespace.pods()
    evict(namespace, first)
    assert "disruption budget" in evict(namespace, second, status=1)


@pytest.mark.contract("a copy that is killed")
def test_a_copy_that_is_killed_at_once_costs_connections_to_it_only(
    running: BakedService, namespace: Namespace
) -> None:
    with namespace.load() as seen:
        name = next(iter(namespace.pods()))
        command = ["kubectl", "--namespace", namespace.name, "delete", "pod", "--force", name]
        subprocess.run(command, check=True, capture_output=True)  # it warns that it does not wait
        namespace.wait_for_copies(2)
        time.sleep(5)  # the kill itself may come late
    assert_only_connections_failed(namespace, seen)


@pytest.mark.contract("a copy that is killed")
def test_a_copy_that_runs_out_of_memory_costs_connections_to_it_only(
    running: BakedService, namespace: Namespace
) -> None:
    with namespace.load() as seen:
        name, pod = next(iter(namespace.pods().items()))
        assert not namespace.client("request", f"{pod['status']['podIP']}:8080", "/v1/greedy")
        wait_until(lambda: "OOMKilled" in namespace.told_of(name), lambda: namespace.told_of(name))
        namespace.wait_for_copies(2)
    assert seen.failed != {}
    assert_only_connections_failed(namespace, seen)


def assert_only_connections_failed(namespace: Namespace, seen: Load) -> None:
    """No response was an error, and nothing fails any more when the cluster has noticed."""
    assert not [failure for failure in seen.failed if "status" in failure]
    with namespace.load() as later:
        time.sleep(3)
    assert later.failed == {}


@pytest.mark.contract("a copy that is deleted or evicted")
def test_a_restart_of_the_container_runtime_costs_no_request(
    running: BakedService, cluster: Cluster, namespace: Namespace
) -> None:
    if not cluster.restart:
        skip("TEST_CLUSTER_RESTART does not say how to restart the node's container runtime")
    with namespace.load() as seen:
        subprocess.run(cluster.restart, check=True)
        namespace.kubectl("rollout", "restart", "deployment/my-service")
        namespace.rollout()
    assert seen.failed == {}


def set_a_bad_image(service: BakedService) -> None:
    use_image(service, "trial", "9.9.9")


def set_a_bad_value(service: BakedService) -> None:
    add_setting(service, "READ_TIMEOUT=soon")


def make_unready(service: BakedService) -> None:
    add_setting(service, "UNREADY=1")


@pytest.mark.contract("a release that does not work")
@pytest.mark.parametrize(
    ("mistake", "told"),
    [(set_a_bad_image, "ErrImagePull"), (set_a_bad_value, 'READ_TIMEOUT="soon"'), (make_unready, "it was told so")],
)
def test_a_release_that_does_not_work_stops_and_is_taken_back(
    running: BakedService, namespace: Namespace, mistake: Callable[[BakedService], None], told: str
) -> None:
    before = set(namespace.pods())
    with namespace.load() as seen:
        mistake(running)
        assert "timed out" in namespace.deploy(running, "staging", "ROLLOUT_TIMEOUT=10s", status=2)
        (new,) = set(namespace.pods()) - before
        assert before < set(namespace.pods())
        wait_until(lambda: told in namespace.told_of(new), lambda: namespace.told_of(new))
        namespace.kubectl("rollout", "undo", "deployment/my-service")
        namespace.rollout()
        assert set(namespace.pods()) == before
    assert seen.failed == {}


def test_a_release_after_a_rollback_is_applied(running: BakedService, namespace: Namespace) -> None:
    """kubectl remembers who wrote a field, and refuses others, unless it is told to take it over."""
    add_setting(running, "LOG_FORMAT=text")
    namespace.deploy(running)
    namespace.kubectl("rollout", "undo", "deployment/my-service")
    namespace.rollout()
    add_setting(running, "IDLE_TIMEOUT=80s")
    namespace.deploy(running)
    for pod in namespace.pods():
        assert "level=INFO msg=listening" in namespace.told_of(pod)


@pytest.mark.contract("a rollout, a rollback, more or fewer copies")
def test_the_autoscaler_adds_copies_and_takes_them_away(running: BakedService, namespace: Namespace) -> None:
    if subprocess.run(["kubectl", "get", "--raw", "/apis/metrics.k8s.io/v1beta1"], capture_output=True).returncode:
        skip("the cluster has no metrics-server")
    quick = {"metrics": [cpu(5)], "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}
    namespace.kubectl("patch", "hpa/my-service", "--patch", json.dumps({"spec": quick}))
    with namespace.load() as seen:
        wait_until(lambda: len(namespace.pods()) > 2, lambda: namespace.kubectl("describe", "hpa"), 180)
        namespace.kubectl("patch", "hpa/my-service", "--patch", json.dumps({"spec": {"metrics": [cpu(95)]}}))
        wait_until(lambda: len(namespace.pods()) == 2, lambda: namespace.kubectl("describe", "hpa"), 300)
        gone(namespace, 2)
    assert seen.failed == {}


def cpu(percent: int) -> dict[str, object]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def gone(namespace: Namespace, copies: int) -> None:
    """Wait until copies that end are gone."""
    words = ("pods", "--selector=app.kubernetes.io/name=my-service")
    wait_until(lambda: len(namespace.get(*words)["items"]) == copies, lambda: namespace.kubectl("get", "pods"), 60)


def evict(namespace: Namespace, pod: str, status: int = 0) -> str:
    """Evict a copy, as the drain of a node does."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace.name}}
    path = f"/api/v1/namespaces/{namespace.name}/pods/{pod}/eviction"
    return namespace.kubectl("create", "--raw", path, "--filename=-", given=json.dumps(eviction), status=status)
