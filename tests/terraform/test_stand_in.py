"""A stand-in for a provider finds what a schema can find, and never pretends to be a cloud."""

import pytest

from tests.terraform.running import Terraform

pytestmark = pytest.mark.slow

CONFIGURATION = """
terraform {
  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = "~> 5.0"
    }
  }
}

resource "cloudflare_workers_kv_namespace" "registry" {
  account_id = "00000000000000000000000000000000"
  %s
}
"""


def prepared(folder, line: str) -> Terraform:
    root = folder / "root"
    root.mkdir()
    (root / "main.tf").write_text(CONFIGURATION % line)
    terraform = Terraform(root, folder)
    if {provider.kind for provider in terraform.providers} != {"stub"}:
        pytest.skip("the real provider is here, so nothing stands in for it")
    terraform.init()
    return terraform


def test_a_right_name_is_valid(tmp_path):
    done = prepared(tmp_path, 'title = "registry"').run("validate")

    assert done.code == 0, done.text


@pytest.mark.parametrize(
    "line",
    ['titel = "registry"', "", 'title = ["a", "b"]'],
    ids=["misspelled", "missing", "a list"],
)
def test_a_wrong_one_is_found(line, tmp_path):
    done = prepared(tmp_path, line).run("validate")

    assert done.code == 1


def test_it_refuses_to_plan(tmp_path):
    done = prepared(tmp_path, 'title = "registry"').run("plan")

    assert done.code == 1
    assert "only a schema" in done.text
