"""What the documents say is what the code does."""

import re
from pathlib import Path

from cell_adapters_aws.bootstrap import Settings as AwsSettings
from cell_adapters_azure.bootstrap import Settings as AzureSettings
from cell_relay_aws.bootstrap import Settings as AwsRelaySettings
from cell_relay_azure.bootstrap import Settings as AzureRelaySettings
from tools import costs

ROOT = Path(__file__).parents[2]


def test_the_table_of_costs_is_derived():
    text = (ROOT / "docs" / "costs.md").read_text()

    shown = re.search(r"<!-- begin.*?-->\n(.*?)\n<!-- end -->", text, flags=re.DOTALL)

    assert shown is not None
    assert shown[1] == costs.table()


def test_a_warm_command_costs_one_read_and_one_write():
    [line] = [line for line in costs.table().splitlines() if "transfer, warm" in line]

    assert line.split("|")[2:4] == [" 1 ", " 1 "]


def test_every_setting_is_documented():
    text = (ROOT / "docs" / "settings.md").read_text()

    names = {
        name
        for settings in (AwsSettings, AzureSettings, AwsRelaySettings, AzureRelaySettings)
        for name in settings.model_fields
    }

    assert {name for name in names if f"`{name}`" not in text} == set()


def test_the_readme_is_short_and_its_links_lead_somewhere():
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/local-world.md"):
        text = (ROOT / name).read_text()
        links = re.findall(r"\]\(([^)#]+)\)", text)
        for link in links:
            assert link.startswith("http") or (ROOT / name).parent.joinpath(link).exists(), link

    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_every_target_in_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text()

    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()))

    assert {n for n in named if not re.search(rf"^{n}:", makefile, flags=re.MULTILINE)} == set()


def test_no_file_names_a_secret_an_address_of_a_registry_or_this_machine():
    suspicious = re.compile(
        r"BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|files\.pythonhosted|/root/|/work/|C2y6yDjf5"
    )

    found = [
        path.relative_to(ROOT)
        for folder in ("packages", "tests", "tools", "docs", "requirements", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".txt", ".toml", ".json", ""}
        and path.is_file()
        and "__pycache__" not in path.parts
        and path.name != "test_docs.py"
        and suspicious.search(path.read_text(errors="replace"))
    ]

    assert found == []
