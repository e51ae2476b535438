"""The TLS contexts refuse old versions, strangers and wrong names; shown by real handshakes."""

import socket
import ssl
import threading
import warnings

import pytest

from cell_router.server.tls import TlsRefused, server_context, upstream_context
from tests.router.ops.certificates import Authority


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority()
    authority.issue("cell.example", folder / "cell.pem", folder / "cell.key")
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "stranger.pem").write_bytes(Authority("a stranger").pem)
    return folder


def shake(server, client, name):
    """Shake hands over a socket pair; return the client's TLS version and protocol."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)

    def answer():
        with theirs:
            try:
                server.wrap_socket(theirs, server_side=True).close()
            except (OSError, ValueError):
                return

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as wrapped:
            return wrapped.version(), wrapped.selected_alpn_protocol()
    finally:
        ours.close()
        thread.join()


def old(context):
    """Let `context` speak TLS 1.1 at most."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def test_both_contexts_speak_tls_1_3_and_http_1_1(files):
    server = server_context(files / "cell.pem", files / "cell.key")

    assert shake(server, upstream_context(files / "ca.pem"), "cell.example") == (
        "TLSv1.3",
        "http/1.1",
    )


def test_tls_1_2_is_spoken(files):
    client = upstream_context(files / "ca.pem")
    client.maximum_version = ssl.TLSVersion.TLSv1_2

    version, _ = shake(
        server_context(files / "cell.pem", files / "cell.key"), client, "cell.example"
    )

    assert version == "TLSv1.2"


def test_a_client_of_tls_1_1_is_refused(files):
    client = old(upstream_context(files / "ca.pem"))

    with pytest.raises(OSError):  # noqa: PT011 - one of several, by the version of OpenSSL
        shake(server_context(files / "cell.pem", files / "cell.key"), client, "cell.example")


def test_a_cell_of_tls_1_1_is_refused(files):
    server = old(server_context(files / "cell.pem", files / "cell.key"))

    with pytest.raises(OSError):  # noqa: PT011 - one of several, by the version of OpenSSL
        shake(server, upstream_context(files / "ca.pem"), "cell.example")


def test_a_cell_of_another_name_is_refused(files):
    server = server_context(files / "cell.pem", files / "cell.key")

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(server, upstream_context(files / "ca.pem"), "other.example")


def test_a_cell_of_an_unknown_authority_is_refused(files):
    server = server_context(files / "cell.pem", files / "cell.key")

    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, upstream_context(files / "stranger.pem"), "cell.example")


def test_without_a_file_the_systems_authorities_are_asked(files):
    server = server_context(files / "cell.pem", files / "cell.key")

    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, upstream_context(None), "cell.example")


def test_a_new_certificate_is_taken_by_a_new_context(files, tmp_path):
    fresh = Authority()
    fresh.issue("cell.example", tmp_path / "cell.pem", tmp_path / "cell.key")
    (tmp_path / "ca.pem").write_bytes(fresh.pem)

    server = server_context(tmp_path / "cell.pem", tmp_path / "cell.key")

    assert shake(server, upstream_context(tmp_path / "ca.pem"), "cell.example")[0] == "TLSv1.3"


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(files, tmp_path):
    from cryptography.hazmat.primitives import serialization as s

    key = s.load_pem_private_key((files / "cell.key").read_bytes(), None)
    locked = key.private_bytes(
        s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"sword-fish")
    )
    (tmp_path / "locked.key").write_bytes(locked)

    with pytest.raises(TlsRefused) as refused:
        server_context(files / "cell.pem", tmp_path / "locked.key")

    assert refused.value.part == "key"
