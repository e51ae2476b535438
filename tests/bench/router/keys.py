"""Keys of one machine's benchmark: clients' tokens, edge's grants, certificates.

They are made in the build folder at first use and worth nothing outside it.
"""

import datetime as dt
import ipaddress
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

ISSUER: Final = "https://idp.bench.test"
AUDIENCE: Final = "cells"
CLIENT_KID: Final = "client-1"
EDGE_KID: Final = "edge-1"
SECRET: Final = "a-shared-secret-for-those-that-know-no-other-way"
"""For peers without public-key signatures: HMAC is the nearest they can do."""

TOKEN_LIFE_S: Final = 7 * 24 * 3600
_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True, slots=True)
class Keys:
    """Where the keys lie: `client.pem`, `edge.pem`, `ca.crt`, `server.crt`, and the like."""

    folder: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """Return the keys in `folder`; they are made if they are not there."""
        keys = cls(folder)
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            keys._make()
            (folder / "complete").touch()
        return keys

    def path(self, name: str) -> Path:
        """Return the file `name`."""
        return self.folder / name

    def text(self, name: str) -> str:
        """Return what stands in the file `name`."""
        return self.path(name).read_text()

    def _make(self) -> None:
        client = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        edge = ed25519.Ed25519PrivateKey.generate()
        self._write_pair("client", client)
        self._write_pair("edge", edge)
        public = json.loads(RSAAlgorithm.to_jwk(client.public_key()))
        public |= {"kid": CLIENT_KID, "alg": "RS256", "use": "sig"}
        self._write("client.jwks.json", json.dumps({"keys": [public]}))
        private = json.loads(OKPAlgorithm.to_jwk(edge)) | {"kid": EDGE_KID}
        self._write("edge.jwk.json", json.dumps(private))
        self._make_certificates()

    def _write_pair(self, name: str, key: Any) -> None:
        private = key.private_bytes(_PEM, _PKCS8, serialization.NoEncryption())
        self._write(f"{name}.pem", private.decode())
        self._write(f"{name}.pub.pem", key.public_key().public_bytes(_PEM, _SPKI).decode())

    def _write(self, name: str, text: str) -> None:
        self.path(name).write_text(text)
        self.path(name).chmod(0o600)

    def _make_certificates(self) -> None:
        authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate("bench authority", authority.public_key(), authority, "bench authority")
        leaf = _certificate("localhost", server.public_key(), authority, "bench authority")
        key = server.private_bytes(_PEM, _PKCS8, serialization.NoEncryption()).decode()
        self._write("ca.crt", root.public_bytes(_PEM).decode())
        self._write("server.crt", leaf.public_bytes(_PEM).decode())
        self._write("server.key", key)
        self._write("server.both.pem", self.text("server.crt") + key)


def client_token(keys: Keys, tenant: str, algorithm: str, now_s: int, **claims: object) -> str:
    """Return a client's credential for `tenant`, as an identity provider would issue it."""
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"client-of-{tenant}",
        "tenant": tenant,
        "scope": "read write",
        "iat": now_s,
        "exp": now_s + TOKEN_LIFE_S,
        **claims,
    }
    key = SECRET if algorithm == "HS256" else _signing_key(keys.path("client.pem"))
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": CLIENT_KID})


def read_grant(keys: Keys, token: str, cell: str) -> dict[str, Any]:
    """Return the claims of a grant to `cell`, verified. Raises `jwt.PyJWTError`."""
    algorithm = jwt.get_unverified_header(token).get("alg")
    key = SECRET if algorithm == "HS256" else keys.text("edge.pub.pem")
    return jwt.decode(token, key, algorithms=["EdDSA", "HS256"], audience=cell)


@cache
def _signing_key(path: Path) -> Any:
    """Return the key as an object: to read it takes far longer than to sign with it."""
    return RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(path.read_text())


def _certificate(name: str, public: Any, signer: Any, issuer: str) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    root = name == issuer
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .issuer_name(_common_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    if root:
        builder = builder.add_extension(_may_sign_certificates(), critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _may_sign_certificates() -> x509.KeyUsage:
    usages = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(key_cert_sign=True, **dict.fromkeys(usages, False))


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
