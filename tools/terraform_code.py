"""Hold the Terraform modules against the code that they deploy.

Names of settings, limits, routes, handlers and rights are read from the code itself: whoever
changes one there hears of it here. Refuses to know any of them by heart.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from cell_adapters_aws.bootstrap import Settings as AwsSettings
from cell_adapters_azure.bootstrap import Settings as AzureSettings
from cell_core.app import App
from cell_core.domain.limits import CONTROL_REQUEST_BYTES_MAX
from cell_core.domains import DOMAINS
from cell_core.memory import MemoryCellStore
from cell_core.service.control import Cell
from cell_core.standby_link import HttpStandbyLink
from cell_core.system import SystemClock
from cell_core.wire.grants import ISSUERS, GrantVerifier
from cell_core.wire.message import Request
from tools import bundle, hcl
from tools.terraform_contract import Check, Tree

LOCAL_ONLY: Final = frozenset({"CELL_LOCAL", "CELL_DYNAMODB_ENDPOINT", "CELL_COSMOS_KEY"})
"""What no deployed cell may be given."""

PLATFORM_S: Final = frozenset({"AWS_REGION", "IDENTITY_ENDPOINT"})
"""What the platform itself sets in a function's environment."""

_BOOTSTRAPS: Final[Mapping[str, type[BaseModel]]] = {"aws": AwsSettings, "azure": AzureSettings}

_KEY: Final = (
    '{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"none","iss":"edge",'
    '"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
)
"""A public key that nobody has the other half of: RFC 8037's example."""


def settings_are_what_the_bootstraps_read(tree: Tree) -> Iterator[str]:
    """The contract has what both bootstraps read, and a cloud's list what only its own does."""
    read = {cloud: _read(settings) for cloud, settings in _BOOTSTRAPS.items()}
    shared = set.intersection(*read.values())
    contract = _local(tree, "modules/cell_contract", "contract_environment")
    for name in sorted(_names(contract) ^ shared):
        who = "the contract gives" if name in _names(contract) else "both bootstraps read"
        yield f"{who} {name}, and only that side knows it"
    lists = _local(tree, "modules/cell_contract", "cloud_settings")
    for cloud, names in read.items():
        given = set(re.findall(r'"([A-Z_]+)"', _entry(lists, cloud)))
        for name in sorted(given ^ (names - shared)):
            who = "the contract allows" if name in given else "the bootstrap reads"
            yield f"{cloud}: {who} {name}, and only that side knows it"


def functions_get_what_their_code_reads(tree: Tree) -> Iterator[str]:
    """A module puts into its functions' environments no name of ours that nothing reads."""
    known = {cloud: _read(settings) for cloud, settings in _BOOTSTRAPS.items()}
    known["aws"] |= _read_by_relay("aws")
    known["azure"] |= _read_by_relay("azure")
    for cloud, names in known.items():
        given = _names(_local(tree, f"modules/cell_{cloud}", "*")) - {"CELL_"}
        for name in sorted(given - names):
            yield f"cell_{cloud} gives {name}, which no function reads"
        for name in sorted(names - given - _OPTIONAL):
            yield f"cell_{cloud} gives no {name}, which a function reads"


def nothing_of_the_local_world_is_given(tree: Tree) -> Iterator[str]:
    """No module sets what is for the local world only."""
    for module in tree.names():
        for block in tree.module(module).blocks:
            if block.type in ("resource", "locals"):
                for name in sorted(_names(" ".join(block.text())) & LOCAL_ONLY):
                    yield f"{module}: {block.address} gives {name}"


def routes_are_what_the_worker_answers(tree: Tree) -> Iterator[str]:
    """Each route of the contract leads somewhere, and each path of the worker has one."""
    [routes] = [
        json.loads(block.attributes["default"])
        for block in tree.module("modules/cell_contract").all("variable")
        if block.labels == ("routes",)
    ]
    paths = _paths()
    for path in sorted(paths):
        if not any(path == r or (r.endswith("/") and path.startswith(r)) for r in routes):
            yield f"no route leads to {path}"
    for route in routes:
        if not any(path == route or path.startswith(f"{route.rstrip('/')}/") for path in paths):
            yield f"{route} leads nowhere"


def limits_are_the_codes(tree: Tree) -> Iterator[str]:
    """Time, size, issuers, runtime and processor are those of the zips."""
    text = {
        block.address: block.attributes
        for block in tree.module("modules/cell_contract").all("variable")
    }
    host = json.loads((bundle.ROOT / "packages/adapters_azure/host.json").read_text())
    minutes, seconds = host["functionTimeout"].split(":")[1:]
    built = bundle.settings()
    wanted = {
        f"timeout_s = optional(number, {int(minutes) * 60 + int(seconds)})": "limits",
        f"body_bytes_max = optional(number, {CONTROL_REQUEST_BYTES_MAX})": "limits",
        f'version = optional(string, "{built["python"]}")': "runtime",
        f"issuers = optional(list(string), {json.dumps(sorted(ISSUERS))})": "auth",
    }
    for says, variable in wanted.items():
        if says not in text[variable]["type"]:
            yield f"{variable} does not say {says}"
    architecture = _local(tree, "modules/cell_aws", "architecture")
    if hcl.unquoted(architecture) != built["platform"].partition("-")[0]:
        yield f"cell_aws runs on {architecture}, the zips do not"


def handlers_are_in_the_zips(tree: Tree) -> Iterator[str]:
    """Lambda is told the module that the zip has at its root."""
    functions = _local(tree, "modules/cell_aws", "functions")
    handlers = set(re.findall(r'handler = "([^"]+)"', functions))
    deployed = {d.name: d for d in (*bundle.CELLS, *bundle.RELAYS)}
    wanted = {f"{deployed[name].entry_module}.handler" for name in ("aws_worker", "aws_relay")}
    for handler in sorted(handlers ^ wanted):
        yield f"{handler} is named on one side only"


def rights_are_what_the_store_calls(tree: Tree) -> Iterator[str]:
    """On AWS a function may do to items what the store does, and nothing else."""
    source = (bundle.ROOT / "packages/adapters_aws/src/cell_adapters_aws/store.py").read_text()
    called = set(re.findall(r"self\._client\.(\w+)\(", source)) - {"transact_write_items"}
    actions = {"".join(part.title() for part in name.split("_")) for name in called}
    actions |= {
        f"{kind}Item" for kind in re.findall(r'\{?"(Put|Update|Delete|ConditionCheck)": ', source)
    }
    for block in tree.cell("aws").blocks:
        if block.type != "data":
            continue
        for text in block.text():
            given = set(re.findall(r'"dynamodb:(\w*(?:Item|Query|Scan))"', text))
            if given and given != actions:
                odd = ", ".join(sorted(given ^ actions))
                yield f"{block.address}: {odd} is allowed or called, not both"


CHECKS: Final[tuple[Check, ...]] = (
    settings_are_what_the_bootstraps_read,
    functions_get_what_their_code_reads,
    nothing_of_the_local_world_is_given,
    routes_are_what_the_worker_answers,
    limits_are_the_codes,
    handlers_are_in_the_zips,
    rights_are_what_the_store_calls,
)

_OPTIONAL: Final = frozenset({"CELL_LAKE_OPTIONS"})
"""What has a default that fits every deployed function."""


def _read(settings: type[BaseModel]) -> set[str]:
    return set(settings.model_fields) - LOCAL_ONLY - PLATFORM_S


def _read_by_relay(cloud: str) -> set[str]:
    """Return the settings of a relay, and what its trigger's declaration names."""
    if cloud == "aws":
        from cell_relay_aws.bootstrap import Settings  # noqa: PLC0415 - one of two
    else:
        from cell_relay_azure.bootstrap import Settings  # type: ignore[assignment]  # noqa: PLC0415 - as above
    folder = bundle.ROOT / f"packages/lake/deploy/{cloud}/src"
    texts = [path.read_text() for path in folder.rglob("*.py")]
    return _read(Settings) | {name for text in texts for name in re.findall("%([A-Z_]+)%", text)}


def _local(tree: Tree, module: str, name: str) -> str:
    """Return the text of one local value of `module`, or of all for `*`."""
    values = [
        text
        for block in tree.module(module).all("locals")
        for key, text in block.attributes.items()
        if name in (key, "*")
    ]
    return " ".join(_expanded(tree, module, value) for value in values)


def _expanded(tree: Tree, module: str, text: str) -> str:
    """Return `text` with the contract's own locals written out, which merge each other."""
    names = set(re.findall(r"\blocal\.(contract_\w*environment)\b", text))
    return " ".join([text, *(_local(tree, module, name) for name in sorted(names))])


def _names(text: str) -> set[str]:
    return set(re.findall(r"\b(CELL_[A-Z_]+|AZURE_CLIENT_ID)\s*=", text))


def _entry(object_text: str, key: str) -> str:
    found = re.search(rf"\b{key}\s*=\s*\[([^\]]*)\]", object_text)
    return found[1] if found else ""


@cache
def _paths() -> frozenset[str]:
    clock = SystemClock()
    app = App(
        Cell(id="none", ordinal=0),
        MemoryCellStore(),
        DOMAINS,
        GrantVerifier(_KEY, audience="none"),
        clock=clock,
        patience=_Never(),
        new_id=lambda: "0",
        link=HttpStandbyLink(clock, local=False),
    )
    asked = Request(method="GET", path="/openapi.json", query="", headers={}, body=b"")
    described: dict[str, Any] = json.loads(app.handle(asked).body)
    return frozenset(described["paths"])


class _Never:
    def wait(self, attempt: int, deadline_ms: int) -> bool:  # noqa: ARG002 - the port's names
        return False
