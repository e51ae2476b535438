"""The edge that Terraform makes is the one that wrangler.toml describes and the Worker reads."""

import json
import re
import tomllib

import pytest

from cell_router.shell_worker_settings import SettingsRefused, read_settings
from tests.terraform import tree
from tools import hcl

MODULE = tree.SOURCE / "modules" / "edge_cloudflare"
WORKER = (MODULE / "main.worker.tf").read_text()
BINDINGS = (MODULE / "main.bindings.tf").read_text()
WRANGLER = tomllib.loads(
    (tree.ROOT / "packages" / "router" / "worker" / "wrangler.toml").read_text()
)
KEY = {"kty": "OKP", "crv": "Ed25519", "kid": "k-1", "iss": "registry", "x": "eA"}


def _locals(text: str) -> dict[str, str]:
    return {n: t for block in hcl.read(text).all("locals") for n, t in block.attributes.items()}


def test_it_has_the_name_the_date_and_the_flags_of_wrangler_toml():
    said = _locals(WORKER)

    assert json.loads(said["name"]) == WRANGLER["name"]
    assert json.loads(said["compatibility_date"]) == WRANGLER["compatibility_date"]
    assert json.loads(said["compatibility_flags"]) == WRANGLER["compatibility_flags"]


def test_it_starts_the_same_module():
    [main] = re.findall(r'main_module *= *"(.+)"', WORKER)

    assert f"src/{main}" == WRANGLER["main"]


def test_it_is_as_closed_as_wrangler_toml_says():
    [subdomain] = re.findall(r"subdomain = \{(.+?)\}", WORKER, flags=re.DOTALL)

    assert WRANGLER["workers_dev"] is False
    assert WRANGLER["preview_urls"] is False
    assert subdomain.split() == ["enabled", "=", "false", "previews_enabled", "=", "false"]


def test_its_bindings_have_the_names_that_wrangler_toml_gives():
    named = set(re.findall(r'\{ name = "(\w+)"', BINDINGS))

    assert named == {WRANGLER["kv_namespaces"][0]["binding"], *WRANGLER["vars"]}


def test_its_secrets_are_those_that_the_worker_reads():
    variables = hcl.read((MODULE / "variables.tf").read_text()).all("variable")

    [secrets] = [block for block in variables if block.labels == ("secrets",)]

    allowed = re.findall(r'"([A-Z_]+)"', " ".join(secrets.text()))
    assert set(allowed) == {"API_KEYS", "GRANT_KEY"}


def test_its_settings_have_the_names_that_the_worker_reads():
    [body] = re.findall(r"settings = jsonencode\(\{(.+?)\}\)", BINDINGS, flags=re.DOTALL)
    names = re.findall(r"^ *(\w+) *=", body, flags=re.MULTILINE)
    values = {
        "registry_keys": {"keys": [KEY]},
        "host_suffixes": ["alpha.example.com"],
        "issuers": [],
        "limits": {"request_bytes_max": 65536, "total_ms": 5000, "deadline_max_ms": 30000},
    }

    settings = json.dumps({name: values[name] for name in names})

    with pytest.raises(SettingsRefused) as refused:
        read_settings(settings, json.dumps(KEY), json.dumps({"keys": []}), 0)
    assert refused.value.setting == "GRANT_KEY", "the settings are read, and the key is next"


def test_the_settings_in_wrangler_toml_lack_a_key_and_nothing_else():
    with pytest.raises(SettingsRefused) as refused:
        read_settings(WRANGLER["vars"]["SETTINGS"], json.dumps(KEY), None, 0)

    assert refused.value.setting == "SETTINGS.registry_keys.keys"
