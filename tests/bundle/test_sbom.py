"""A bill of materials names what is in a deployable, all of it, and nothing else."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools import locks, sbom

# One worker makes what these tests share.
pytestmark = pytest.mark.xdist_group("bundle")

_LOCK = "one==1.0 \\\n    --hash=sha256:" + "0" * 64 + " \\\n    --hash=sha256:" + "1" * 64 + "\n"
_ONE = {
    "lib/one-1.0.dist-info/METADATA": b"Name: One\nVersion: 1.0\nLicense-Expression: MIT\n",
    "lib/one.pyc": b"compiled",
}


@pytest.fixture
def bill(built):
    files = sbom.contents(built.path)
    return sbom.document(built.path.name, files, built.deployable.lock_path.read_text())


def test_it_is_valid_for_the_format(bill):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_it_names_every_library_with_licence_and_hashes(built, bill):
    pinned = locks.pins(built.deployable.lock_path.read_text())

    named = {(each["name"], each["version"]) for each in bill["components"]}

    assert named == {
        (name, version) for (name, _), version in pinned.items() if (name, version) in named
    }
    assert len(named) == len(list(built.libraries.glob("*.dist-info")))
    assert [each["name"] for each in bill["components"] if not each.get("licenses")] == []
    assert all(each["hashes"] for each in bill["components"])


def test_the_same_files_give_the_same_bill():
    assert sbom.document("one.zip", _ONE, _LOCK) == sbom.document("one.zip", dict(_ONE), _LOCK)


def test_other_files_give_another_bill():
    other = {**_ONE, "lib/one.pyc": b"compiled otherwise"}

    bills = [sbom.document("one.zip", files, _LOCK) for files in (_ONE, other)]

    assert bills[0]["serialNumber"] != bills[1]["serialNumber"]


def test_it_says_what_the_lock_says():
    [component] = sbom.document("one.zip", _ONE, _LOCK)["components"]

    assert component["purl"] == "pkg:pypi/one@1.0"
    assert component["licenses"] == [{"expression": "MIT"}]
    assert [each["content"][0] for each in component["hashes"]] == ["0", "1"]


def test_what_a_compiler_puts_into_its_output_is_named_too():
    embedded = sbom.embedded_by(["mypy"])

    bill = sbom.document("one.zip", _ONE, _LOCK, embedded)

    assert [each["name"] for each in bill["components"]] == ["mypy", "one"]
    assert embedded[0]["licenses"] == [{"expression": "MIT"}]
    assert embedded[0]["hashes"]
    assert [a.path.stem for a in sbom.ARTEFACTS if a.embeds] == ["router_native"]


@pytest.mark.parametrize("lock", ["", _LOCK.replace("1.0", "1.1"), _LOCK.replace("one", "two")])
def test_a_library_that_is_not_in_the_lock_is_an_error(lock):
    with pytest.raises(sbom.NotLocked, match=r"one 1\.0 is not in the lock"):
        sbom.document("one.zip", _ONE, lock)


def test_a_folder_is_read_as_a_zip_is(tmp_path):
    for name, content in _ONE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)

    assert sbom.contents(tmp_path) == _ONE


def test_every_deployable_has_a_bill_of_its_own():
    bills = [artefact.bill.name for artefact in sbom.ARTEFACTS]

    assert len(set(bills)) == len(bills) == 8
