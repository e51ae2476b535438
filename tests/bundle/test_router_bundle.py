"""The router's bundle is all that a Python with nothing installed needs to serve."""

import json
import subprocess
import sys
import threading
import zipfile
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_core.wire.registry import CellRecord, TenantRecord
from cell_devstack.local_router import LocalRouter, RouterSettings
from cell_devstack.process import PythonProgram
from tools import bundle

# One worker makes what these tests share.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("bundle"),
    pytest.mark.parametrize("built", [bundle.ROUTER], indirect=True, ids=["router"]),
]

_CALL = b'{"tenant_id":"T-100","domain":"ledger","command":"post","data":{}}'
_TENANT = TenantRecord(tenant="T-100", epoch=17)
_AARCH64 = 183  # What an ELF header calls that processor.


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """An interpreter that has nothing installed, not even an installer."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return str(folder / "bin" / "python")


@pytest.fixture
def run(built, bare_python, tmp_path):
    def run_it(*arguments, program=None):
        command = [bare_python, "-I", "-S", str(program or built.folder), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60, env={}
        )

    return run_it


@pytest.fixture
def cell():
    """A cell that answers 200 to everything; yields its record and the requests it saw."""
    seen = []

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            seen.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            for name, value in {
                "content-type": "application/json",
                "content-length": "11",
                "x-tenant-epoch": "17",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b'{"ok":true}')

        def log_message(self, *parts):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    yield CellRecord(id="aws-one", ordinal=1, cloud="aws", region="local", base_url=url), seen
    server.shutdown()
    thread.join()
    server.server_close()


def router_of(built, bare_python, folder):
    key = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate()))
    return LocalRouter(
        folder,
        json.dumps({**key, "kid": "local-world", "alg": "EdDSA"}),
        RouterSettings(workers=1),
        program=PythonProgram(module=str(built.folder), python=bare_python),
    )


def post(router):
    headers = {"content-type": "application/json", "x-api-key": router.api_key}
    connection = HTTPConnection("127.0.0.1", router.port, timeout=10)
    connection.request("POST", "/process", _CALL, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body


def test_it_serves_with_nothing_else_installed(built, bare_python, cell, tmp_path):
    record, seen = cell
    router = router_of(built, bare_python, tmp_path / "router")
    # Whatever lies in the folder that it is started in must not be imported.
    (tmp_path / "router" / "cell_router.py").write_text("raise SystemExit('the wrong module')")
    router.publish([record], [_TENANT])

    with router:
        status, headers, body = post(router)

    assert (status, body) == (200, b'{"ok":true}')
    assert headers["x-processed-by-cloud"] == "aws"
    assert len(seen) == 1


def test_it_shows_its_commands(run):
    done = run("--help")

    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in ("serve", "check", "registry", "keys"))


def test_it_says_what_is_wrong_with_a_configuration(run, tmp_path):
    (tmp_path / "router.toml").write_text('[registry]\ncache = "cache"\n')

    done = run("check", "--config", "router.toml", "--json")

    settings = [finding["setting"] for finding in json.loads(done.stdout)["findings"]]
    assert done.returncode == 1
    assert "grants" in settings


def test_it_finds_nothing_wrong_with_a_configuration_that_it_serves_with(
    built, bare_python, run, tmp_path
):
    router = router_of(built, bare_python, tmp_path / "router")
    router.publish([], [])

    with router:
        done = run("check", "--config", str(router.config_path))

    assert (done.returncode, done.stdout) == (0, "ok\n")


def test_run_without_being_unpacked_it_says_how_to(built, run):
    done = run("serve", program=built.path)

    assert done.returncode == 1
    assert "-m zipfile -e" in done.stderr


def test_every_module_of_ours_imports_from_the_bundle_alone(built):
    names = [
        ".".join(path.relative_to(built.libraries).with_suffix("").parts)
        for path in sorted((built.libraries / "cell_router").rglob("*.pyc"))
        if path.stem not in {"__init__", "__main__"}
    ]

    printed = built.run(
        f"import importlib; print(len([importlib.import_module(n) for n in {names}]))"
    )

    assert len(names) > 50
    assert int(printed) == len(names)


def test_what_only_a_setting_loads_is_there(built):
    printed = built.run("""
from cell_router.sources.opening import open_source
sources = {
    "s3://bucket/key": {"region": "eu-west-1"},
    "az://container/key": {"account_name": "account"},
    "https://control.example/registry": {},
    "redis://127.0.0.1/0": {},
}
for url, options in sources.items():
    source = open_source(url, credential_file=None, local=True, options=options)
    print(type(source).__name__)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
print(OTLPSpanExporter(endpoint="http://127.0.0.1:9/").__class__.__name__)
""")

    assert len(set(printed.split())) == 4


def test_the_one_for_arm_holds_the_same_files_for_the_other_processor(built, tmp_path):
    other = tmp_path / "router_aarch64.zip"
    bundle.build(bundle.ROUTER_ARM, built.target, other)

    with zipfile.ZipFile(other) as opened:
        libraries = [name for name in opened.namelist() if name.endswith(".so")]
        processors = {int.from_bytes(opened.read(name)[18:20], "little") for name in libraries}
        names = {name for name in opened.namelist() if name.endswith(".pyc")}

    assert processors == {_AARCH64}
    assert names == {entry.filename for entry in built.entries() if entry.filename.endswith(".pyc")}
