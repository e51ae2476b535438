"""The router with compiled modules is the router, and they are what it runs."""

import subprocess
import sys
import zipfile

import pytest

from tools import bundle, native_router

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("bundle"),
    pytest.mark.skipif(bool(native_router.lacks()), reason=native_router.lacks()),
]

_ASK = "import importlib, sys; print(*(importlib.import_module(n).__file__ for n in sys.argv[1:]))"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    with zipfile.ZipFile(native_router.ensure(bundle.find_uv())) as shipped:
        shipped.extractall(folder)
    return folder


def files_of(folder):
    """Return what each module on the data path is loaded from, by a Python with nothing else."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _ASK, *native_router.MODULES],
        env={"PYTHONPATH": str(folder / bundle.ROUTER.libraries)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_every_module_of_the_data_path_is_compiled(unpacked):
    assert all(path.endswith(".so") for path in files_of(unpacked))


def test_without_the_compiled_modules_the_same_folder_runs_interpreted(unpacked, tmp_path):
    plain = tmp_path / "plain"
    with zipfile.ZipFile(native_router.ensure(bundle.find_uv())) as shipped:
        names = [name for name in shipped.namelist() if "/cell_router" not in name]
        ours = [name for name in shipped.namelist() if "/cell_router" in name]
        shipped.extractall(plain, [*names, *(name for name in ours if not name.endswith(".so"))])

    assert all(path.endswith(".pyc") for path in files_of(plain))


def test_it_is_the_bundle_and_compiled_modules_of_ours(unpacked):
    def entries(path):
        with zipfile.ZipFile(path) as opened:
            return {entry.filename: entry.CRC for entry in opened.infolist()}

    target = bundle.target_for(bundle.settings()["python"], uv=bundle.find_uv())
    plain = entries(bundle.ensure(bundle.ROUTER, target))
    native = entries(native_router.ensure(bundle.find_uv()))

    added = native.keys() - plain.keys()
    assert {name: native[name] for name in plain} == plain
    assert len(added) == len(native_router.MODULES) + 1
    assert all(name.startswith("lib/cell_router") and name.endswith(".so") for name in added)
