"""What is in a zip, what is not, and in which form."""

import importlib.util
import re
import sys
from email.parser import HeaderParser

import pytest
from packaging.markers import Marker

from tools import bundle, contents, locks

# One worker makes what these tests share.
pytestmark = pytest.mark.xdist_group("bundle")

_OTHER_CLOUD = {
    "aws_worker": re.compile(r"azure|msal|cell_adapters_azure|function_app"),
    "azure_worker": re.compile(r"boto|aws|s3transfer|cell_adapters_aws|worker\.py"),
    "aws_relay": re.compile(r"azure|msal|cell_adapters_azure|cell_relay_azure|function_app"),
    "azure_relay": re.compile(r"boto|aws|s3transfer|cell_adapters_aws|cell_relay_aws|worker\.py"),
    "router": re.compile(r"boto|aws|s3transfer|azure|msal|cell_adapters"),
}
_NOT_COMPARED = (
    0b01  # A compiled file's flags: made from a hash, and not checked against its source.
)


def names_of(built):
    return [entry.filename for entry in built.entries()]


def test_it_holds_exactly_the_locked_libraries(built):
    environment = {
        "python_version": built.target.python,
        "python_full_version": f"{built.target.python}.0",
    }
    lock = built.deployable.lock_path
    wanted = {
        (name, version)
        for (name, marker), version in locks.pins(lock.read_text()).items()
        if not marker or Marker(marker.removeprefix(" ; ")).evaluate(environment)
    }

    found = {
        tuple(path.name.removesuffix(".dist-info").lower().replace("_", "-").rsplit("-", 1))
        for path in built.libraries.glob("*.dist-info")
    }

    assert found == wanted


def test_it_holds_nothing_of_the_other_cloud(built):
    tops = {path.name for path in (*built.folder.iterdir(), *built.libraries.iterdir())}

    assert not [name for name in tops if _OTHER_CLOUD[built.deployable.name].match(name)]


def test_it_holds_no_module_of_ours_that_it_never_imports(built):
    ours = [path.relative_to(built.libraries).as_posix() for path in built.libraries.rglob("*.pyc")]

    assert not [name for name in ours if name.startswith(built.deployable.unreached)]


def test_it_holds_no_tests_no_commands_and_nothing_of_the_local_world(built):
    unwanted = re.compile(r"(^|/)(tests?|bin|cell_devstack|moto|pytest|examples)/")

    assert not [name for name in names_of(built) if unwanted.search(name)]


def test_it_holds_no_record_of_the_machine_that_built_it(built):
    records = re.compile(r"/(RECORD|INSTALLER|REQUESTED|direct_url\.json|uv_cache\.json|\.lock)$")

    assert not [name for name in names_of(built) if records.search(name)]
    root = str(bundle.ROOT).encode()
    assert not [p for p in built.folder.rglob("*") if p.is_file() and root in p.read_bytes()]


def test_it_keeps_the_licence_of_every_library(built):
    for information in built.libraries.glob("*.dist-info"):
        headers = HeaderParser().parsestr((information / "METADATA").read_text())
        for licence in headers.get_all("License-File", []):
            places = [information / licence, information / "licenses" / licence]
            assert any(place.exists() for place in places), f"{information.name}: {licence}"


def test_it_has_its_entry_files_and_our_licence_at_the_root(built):
    at_root = {name for name in names_of(built) if "/" not in name}

    assert {name.rpartition("/")[2] for name in built.deployable.entry_files} <= at_root


def test_every_entry_has_the_same_time_and_mode_in_sorted_order(built):
    entries = built.entries()

    assert [e.filename for e in entries] == sorted(e.filename for e in entries)
    assert {e.date_time for e in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {e.external_attr >> 16 for e in entries} == {0o644}


def test_every_compiled_module_is_for_the_runtime_and_never_compared_with_its_source(built):
    compiled = list(built.folder.rglob("*.pyc"))

    assert len(compiled) > 300
    for path in compiled:
        start = path.read_bytes()[:8]
        assert start[:4] == importlib.util.MAGIC_NUMBER, path
        assert int.from_bytes(start[4:], "little") == _NOT_COMPARED, path


def test_only_the_file_that_the_cloud_looks_for_is_a_source(built):
    sources = [path.relative_to(built.folder).as_posix() for path in built.folder.rglob("*.py")]

    assert sources == [f"{built.deployable.entry_module}.py"]


def test_our_modules_keep_their_assertions_and_docstrings(built):
    found = (built.libraries / "cell_core" / "ports.pyc").read_bytes()

    assert b"Durable state of one cell" in found


@pytest.mark.parametrize("rest", ["", "\n# A front page\n\nand more of it\n"])
def test_a_front_page_goes_whether_there_is_one_or_not(rest):
    kept = "Name: one\nVersion: 1\n"

    assert contents.without_readme(kept + rest) == kept


def test_metadata_names_every_library_without_its_front_page(built):
    found = [path.read_text() for path in built.libraries.glob("*.dist-info/METADATA")]

    assert found
    assert all("\nVersion: " in text and "\n\n" not in text for text in found)


@pytest.mark.skipif(
    sys.version_info[:2] != tuple(map(int, bundle.settings()["python"].split("."))),
    reason="the budget is that of the zip for the cloud, not of one for this Python",
)
def test_it_fits_its_size_budget(built):
    assert built.path.stat().st_size <= built.deployable.size_mb_max * 10**6


@pytest.mark.slow
def test_building_it_again_elsewhere_gives_the_same_bytes(built, tmp_path):
    again = tmp_path / "a-longer-name-than-before" / "again.zip"

    bundle.build(built.deployable, built.target, again)

    assert again.read_bytes() == built.path.read_bytes()


@pytest.mark.parametrize("deployable", bundle.DEPLOYABLES, ids=lambda each: each.name)
def test_a_zip_made_from_other_inputs_is_not_current(deployable, tmp_path):
    target = bundle.target_for("3.13", uv="unused")

    assert not bundle.is_current(tmp_path / "missing.zip", bundle.digest(deployable, target))
