"""The two TLS contexts: towards clients and towards cells.

TLS 1.2 and later, HTTP/1.1 only, and towards a cell always with its name verified. A wrong file is
named by what it is for, never quoted.
"""

import ssl
from pathlib import Path
from typing import Final

_ALPN: Final = ("http/1.1",)


class TlsRefused(Exception):
    """A certificate, key or authority cannot be used.

    Attributes:
        part: `certificate`, `key` or `ca`.
        advice: Follows the setting's name in a sentence.
    """

    def __init__(self, part: str, advice: str) -> None:
        super().__init__(f"{part} {advice}")
        self.part = part
        self.advice = advice


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context for clients' connections; both files are PEM, read once.

    Raises:
        TlsRefused: One cannot be read or used, or the key is not the certificate's.
    """
    for part, path in (("certificate", certificate), ("key", key)):
        _must_be_readable(part, path)
    context = _bounded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        # Without the callable a key with a passphrase would wait for somebody at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as wrong:
        if wrong.reason == "KEY_VALUES_MISMATCH":
            raise TlsRefused("key", "does not belong to the certificate: pair them") from None
        part = "certificate" if not _holds_certificate(certificate) else "key"
        raise TlsRefused(part, "is not a PEM file that can be used: write it again") from None
    return context


def upstream_context(ca: Path | None) -> ssl.SSLContext:
    """Return the context for connections to cells; `ca` replaces the system's authorities.

    Raises:
        TlsRefused: The file cannot be read or holds no certificate.
    """
    context = _bounded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    if ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    _must_be_readable("ca", ca)
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError:
        raise TlsRefused("ca", "holds no PEM certificate: write it again") from None
    return context


def _bounded(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(_ALPN)
    return context


def _holds_certificate(path: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return False
    return True


def _must_be_readable(part: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as wrong:
        advice = f"cannot be read ({type(wrong).__name__}): check its path and its rights"
        raise TlsRefused(part, advice) from None
