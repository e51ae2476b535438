"""What is applied to a cluster is valid for its API, safe, and fits the router's settings."""

import copy
import functools
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from cell_router.config import Config
from tests.bundle import manifests
from tools import bundle

# Nothing that a change of behaviour touches; the fast suite is at its three minutes.
pytestmark = pytest.mark.slow

FOLDER = bundle.ROOT / "packages" / "router" / "deploy" / "kubernetes"
OVERLAYS = ("local", "production")
VERSIONS = ("1.31", "1.34")  # Of the API: the oldest that is meant to work, and a newer one.
SETTINGS = sorted(FOLDER.rglob("router.toml"))


@functools.cache
def kustomized(overlay):
    """Return what `kubectl apply --kustomize` would send."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("SKIPPED: no kubectl here to put the manifests together")
    command = [kubectl, "kustomize", str(FOLDER / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture
def base():
    """The base's documents, and its ConfigMap as kustomize would make it."""
    names = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())["resources"]
    settings = (FOLDER / "base" / "router.toml").read_text()
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cell-router"},
        "data": {"router.toml": settings},
    }
    return [*(yaml.safe_load((FOLDER / "base" / name).read_text()) for name in names), config]


def at(document, path):
    *parents, last = path
    for each in parents:
        document = document[each]
    return document, last


POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
SECURITY = (*CONTAINER, "securityContext")
REMOVED = object()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_base_is_valid_for_the_api(base, version):
    for document in base:
        kubernetes_validate.validate(document, version, strict=True)


def test_the_base_breaks_no_rule(base):
    assert manifests.faults(base) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_valid_for_the_api(overlay):
    documents = kustomized(overlay)

    assert len(documents) == 8
    for document in documents:
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_breaks_no_rule(overlay):
    assert manifests.faults(kustomized(overlay)) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_puts_everything_into_a_namespace_that_enforces_the_strictest_standard(overlay):
    documents = kustomized(overlay)
    namespace = manifests.one(documents, "Namespace", "cells-edge")
    name = namespace["metadata"]["name"]

    level = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]

    assert level == "restricted"
    assert {d["metadata"].get("namespace", name) for d in documents} == {name}


def test_production_names_its_image_by_digest_and_spreads_over_zones_strictly():
    spec = manifests.one(kustomized("production"), "Deployment")["spec"]["template"]["spec"]

    assert "@sha256:" in spec["containers"][0]["image"]
    assert [each["whenUnsatisfiable"] for each in spec["topologySpreadConstraints"]] == [
        "DoNotSchedule",
        "ScheduleAnyway",
    ]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_change_of_the_settings_is_a_rolling_update(overlay):
    documents = kustomized(overlay)
    name = manifests.one(documents, "ConfigMap")["metadata"]["name"]

    pod = manifests.one(documents, "Deployment")["spec"]["template"]["spec"]
    mounted = next(each for each in pod["volumes"] if each["name"] == "config")

    assert name.startswith("cell-router-")
    assert mounted["configMap"]["name"] == name


@pytest.mark.parametrize("path", SETTINGS, ids=lambda path: path.parent.name)
def test_the_router_takes_its_settings(path):
    config = Config.parse(path.read_text(), Path("/etc/cell-router/config"))

    assert config.settings.local == (path.parent.name == "local")


@pytest.mark.parametrize(
    ("kind", "path", "value", "fault"),
    [
        ("Deployment", (*SECURITY, "privileged"), True, "it is privileged"),
        ("Deployment", (*SECURITY, "readOnlyRootFilesystem"), REMOVED, "can be written to"),
        ("Deployment", (*SECURITY, "capabilities"), {"drop": []}, "keeps capabilities"),
        ("Deployment", (*SECURITY, "allowPrivilegeEscalation"), True, "may gain rights"),
        ("Deployment", (*POD, "securityContext", "runAsNonRoot"), False, "may run as root"),
        ("Deployment", (*POD, "securityContext", "runAsUser"), 0, "may run as root"),
        ("Deployment", (*POD, "securityContext", "seccompProfile"), REMOVED, "no seccomp"),
        ("Deployment", (*POD, "automountServiceAccountToken"), REMOVED, "a token of the cluster"),
        ("Deployment", (*POD, "hostNetwork"), True, "shares a namespace"),
        ("Deployment", (*POD, "terminationGracePeriodSeconds"), 45, "killed while it drains"),
        ("Deployment", (*POD, "terminationGracePeriodSeconds"), REMOVED, "killed while it drains"),
        ("Deployment", (*POD, "topologySpreadConstraints"), [], "not spread"),
        ("Deployment", (*CONTAINER, "startupProbe"), REMOVED, "startupProbe does not ask"),
        ("Deployment", (*CONTAINER, "readinessProbe"), REMOVED, "readinessProbe does not ask"),
        ("Deployment", (*CONTAINER, "livenessProbe", "httpGet", "path"), "/readyz", "/healthz"),
        ("Deployment", (*CONTAINER, "livenessProbe", "httpGet", "port"), 8443, "the admin port"),
        ("Deployment", (*CONTAINER, "ports", 0, "containerPort"), 8080, "clients are sent to"),
        ("Deployment", (*CONTAINER, "ports", 1, "containerPort"), 8080, "probes are sent to"),
        ("Deployment", (*CONTAINER, "resources", "limits"), REMOVED, "memory is unbounded"),
        ("Deployment", (*CONTAINER, "resources", "requests"), REMOVED, "asks for no resources"),
        ("Deployment", (*CONTAINER, "volumeMounts", 3, "mountPath"), "/cache", "cannot be written"),
        ("Deployment", (*CONTAINER, "volumeMounts", 1, "mountPath"), "/keys", "nothing is mounted"),
        ("Deployment", (*POD, "volumes", 1, "secret", "defaultMode"), 0o444, "read by everybody"),
        ("Deployment", (*POD, "volumes", 3, "emptyDir"), {}, "cache is unbounded"),
        ("Deployment", ("spec", "replicas"), 3, "from the autoscaler"),
        (
            "Deployment",
            ("spec", "strategy", "rollingUpdate", "maxUnavailable"),
            1,
            "takes capacity",
        ),
        ("Service", ("spec", "ports", 0, "targetPort"), "http", "not for clients"),
        ("Service", ("spec", "ports", 0, "targetPort"), "admin", "not for clients"),
        ("Service", ("spec", "selector"), {"app": "router"}, "finds no pod"),
        ("NetworkPolicy", ("spec", "ingress", 1, "from"), [], "open to everybody"),
        ("NetworkPolicy", ("spec", "ingress", 0, "ports"), [], "open to everybody"),
        ("NetworkPolicy", ("spec", "ingress", 0, "ports", 0, "port"), 443, "clients are kept out"),
        ("NetworkPolicy", ("spec", "policyTypes"), ["Ingress"], "leaves a direction open"),
        ("PodDisruptionBudget", ("spec", "selector", "matchLabels"), {}, "is another's"),
        (
            "HorizontalPodAutoscaler",
            ("spec", "scaleTargetRef", "name"),
            "router",
            "nothing is scaled",
        ),
    ],
)
def test_a_rule_that_was_broken_would_be_found(base, kind, path, value, fault):
    documents = copy.deepcopy(base)
    parent, last = at(manifests.one(documents, kind), path)
    if value is REMOVED:
        del parent[last]
    else:
        parent[last] = value

    found = manifests.faults(documents)

    assert any(fault in each for each in found), found


def test_a_secret_in_the_tree_would_be_found(base):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cell-router-keys"}}

    assert "a secret stands in the tree" in manifests.faults([*base, secret])


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        ("drain_max_s = 30.0", "drain_max_s = 60.0", "killed while it drains"),
        ("drain_delay_s = 10.0", "drain_delay_s = 30.0", "killed while it drains"),
        ("port = 8443", "port = 8080", "clients are sent to"),
        ("port = 9090", "port = 9091", "probes are sent to"),
        ('address = "0.0.0.0"', 'address = "127.0.0.1"', "cannot reach the admin"),
        ("workers = 2", "workers = 0", "each core of the node"),
        ("/var/cache/cell-router/registry", "/tmp/registry", "cannot be written"),  # noqa: S108 - a fault
    ],
)
def test_settings_that_do_not_fit_would_be_found(base, good, bad, fault):
    documents = copy.deepcopy(base)
    data = manifests.one(documents, "ConfigMap")["data"]
    assert good in data["router.toml"]
    data["router.toml"] = data["router.toml"].replace(good, bad)

    found = manifests.faults(documents)

    assert any(fault in each for each in found), found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*CONTAINER, "readinessProb"), {"httpGet": {"path": "/readyz", "port": "admin"}}),
        ((*CONTAINER, "ports", 0, "containerPort"), "8443"),
        (("spec", "strategy", "maxSurge"), 1),
    ],
)
def test_a_field_that_the_api_does_not_know_is_refused(base, path, value):
    document = copy.deepcopy(manifests.one(base, "Deployment"))
    parent, last = at(document, path)
    parent[last] = value

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)
