"""The rules that the router's manifests are held to; each fault is a sentence."""

import tomllib
from pathlib import PurePosixPath

# What ending takes beside the drain: workers that are killed, threads, and the process itself.
END_S = 12
_NAME = {"app.kubernetes.io/name": "cell-router"}
_ADMIN_PAGES = {
    "startupProbe": "/healthz",
    "readinessProbe": "/readyz",
    "livenessProbe": "/healthz",
}


def one(documents, kind, name="cell-router"):
    """Return the one document of `kind`."""
    found = [d for d in documents if d["kind"] == kind and d["metadata"]["name"].startswith(name)]
    assert len(found) == 1, f"{len(found)} of {kind}"
    return found[0]


def faults(documents):
    """Return what is wrong with all that is applied together."""
    pod = one(documents, "Deployment")["spec"]["template"]
    container = pod["spec"]["containers"][0]
    settings = tomllib.loads(one(documents, "ConfigMap")["data"]["router.toml"])
    return [
        *_pod(pod["spec"], settings),
        *_container(container),
        *_probes(container),
        *_ports(container, settings),
        *_files(pod["spec"], container, settings),
        *_resources(container, settings),
        *_deployment(one(documents, "Deployment"), documents),
        *_service(one(documents, "Service"), container, pod),
        *_network(one(documents, "NetworkPolicy"), pod, settings),
        *_secrets(documents),
    ]


def _pod(spec, settings):
    context, listen = spec.get("securityContext", {}), settings["listen"]
    if context.get("runAsNonRoot") is not True or context.get("runAsUser", 0) == 0:
        yield "it may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "it gets a token of the cluster"
    if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "it shares a namespace with the node"
    drain_s = listen.get("drain_delay_s", 0) + listen.get("drain_max_s", 30)
    if spec.get("terminationGracePeriodSeconds", 30) < drain_s + END_S:
        yield "it is killed while it drains"
    keys = {each["topologyKey"] for each in spec.get("topologySpreadConstraints", [])}
    if keys != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
        yield "it is not spread over zones and nodes"


def _container(container):
    context = container.get("securityContext", {})
    wanted = {
        "privileged": (False, "it is privileged"),
        "allowPrivilegeEscalation": (False, "it may gain rights"),
        "readOnlyRootFilesystem": (True, "its root file system can be written to"),
        "capabilities": ({"drop": ["ALL"]}, "it keeps capabilities"),
    }
    for name, (value, fault) in wanted.items():
        if context.get(name) != value:
            yield fault


def _probes(container):
    for name, path in _ADMIN_PAGES.items():
        asked = container.get(name, {}).get("httpGet", {})
        if asked.get("path") != path:
            yield f"{name} does not ask {path}"
        if asked.get("port") != "admin":
            yield f"{name} does not ask the admin port"


def _ports(container, settings):
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    if ports.get("https") != settings["listen"]["port"]:
        yield "clients are sent to a port that nobody listens on"
    if ports.get("admin") != settings["admin"]["port"]:
        yield "probes are sent to a port that nobody listens on"
    if settings["admin"].get("address", "127.0.0.1") != "0.0.0.0":  # noqa: S104 - the kubelet asks the pod's address
        yield "probes cannot reach the admin listener"


def _files(spec, container, settings):
    volumes = {each["name"]: each for each in spec["volumes"]}
    mounts = {PurePosixPath(m["mountPath"]): volumes[m["name"]] for m in container["volumeMounts"]}
    used = [
        settings["grants"]["key"],
        settings["api_keys"]["file"],
        settings["registry"]["keys"],
        *settings["listen"].get("tls", {}).values(),
        container["args"][-1],
    ]
    for path in used:
        if not any(PurePosixPath(path).is_relative_to(mount) for mount in mounts):
            yield f"nothing is mounted for {path}"
    cache = PurePosixPath(settings["registry"]["cache"])
    writable = [v for m, v in mounts.items() if cache.is_relative_to(m) and "emptyDir" in v]
    if not writable:
        yield "the registry's cache cannot be written"
    if any("sizeLimit" not in each["emptyDir"] for each in writable):
        yield "the registry's cache is unbounded"
    for each in volumes.values():
        if each.get("secret", {}).get("defaultMode", 0o440) & 0o007:
            yield "keys can be read by everybody"


def _resources(container, settings):
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}):
        yield "its memory is unbounded"
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys():
        yield "it asks for no resources"
    if not settings["listen"].get("workers"):
        yield "it starts a worker for each core of the node"


def _deployment(deployment, documents):
    rolling = deployment["spec"]["strategy"].get("rollingUpdate", {})
    if rolling.get("maxUnavailable") != 0:
        yield "a rolling update takes capacity away"
    if "replicas" in deployment["spec"]:
        yield "it takes the number of replicas from the autoscaler"
    if one(documents, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] != "cell-router":
        yield "nothing is scaled"
    if one(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] != _NAME:
        yield "the disruption budget is another's"


def _service(service, container, pod):
    names = {each["name"] for each in container["ports"]}
    targets = {each["targetPort"] for each in service["spec"]["ports"]}
    if not targets <= names or "admin" in targets:
        yield "the service leads to a port that is not for clients"
    if not service["spec"]["selector"].items() <= pod["metadata"]["labels"].items():
        yield "the service finds no pod"


def _network(policy, pod, settings):
    spec, admin = policy["spec"], settings["admin"]["port"]
    if set(spec.get("policyTypes", [])) != {"Ingress", "Egress"}:
        yield "the network policy leaves a direction open"
    if not spec["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items():
        yield "the network policy is another's"
    for rule in spec.get("ingress", []):
        ports = {each["port"] for each in rule.get("ports", [])}
        if not ports or (admin in ports and not rule.get("from")):
            yield "the admin port is open to everybody"
    if settings["listen"]["port"] not in {
        each["port"] for rule in spec.get("ingress", []) for each in rule.get("ports", [])
    }:
        yield "clients are kept out"


def _secrets(documents):
    if any(each["kind"] == "Secret" for each in documents):
        yield "a secret stands in the tree"
