"""What docs/router-settings.md says is what the router reads and answers."""

import re
from pathlib import Path

from cell_router.config import Config, Section, Settings
from cell_router.server.admin import PAGES

TEXT = (Path(__file__).parents[3] / "docs" / "router-settings.md").read_text()


def leaves(section, prefix=""):
    """Yield the name of each setting, as the document writes it."""
    for name, field in section.model_fields.items():
        tables = re.findall(r"cell_router\.config\.(\w+)", str(field.annotation))
        if not tables:
            yield prefix + name
            continue
        inner = next(s for s in Section.__subclasses__() if s.__name__ == tables[0])
        many = "[]" if "tuple" in str(field.annotation) else ""
        yield from leaves(inner, f"{prefix}{name}{many}.")


def test_every_setting_is_documented_and_no_other():
    firsts = re.findall(r"^\| ([^|]*) \|", TEXT, re.MULTILINE)
    documented = set(re.findall(r"`([a-z][a-z_.\[\]]+)`", "\n".join(firsts)))

    assert set(leaves(Settings)) == documented


def test_the_example_is_good(tmp_path):
    example = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)[1]

    assert Config.parse(example, tmp_path).settings.listen.port == 8443


def test_every_page_of_the_admin_listener_is_documented():
    rows = re.findall(r"^\| `(/[^`?]*)", TEXT, re.MULTILINE)

    assert set(rows) == set(PAGES)
