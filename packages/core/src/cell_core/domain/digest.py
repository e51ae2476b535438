"""A digest of a stripe's state that does not depend on order, kept up to date by addition.

    D := D - h(old) + h(new)   (mod 2^256),  h = keyed BLAKE2b-256 of tenant, key, version, body

Two cells with equal digests at one seq hold equal entities (protocol.md 5). The key is public: it
separates this use from others, it hides nothing.
"""

import hashlib

from cell_core.domain.documents import Document

_KEY = b"multicloud-cells/state-digest/1"
_MODULUS = 2**256


def term(tenant: str, document: Document) -> int:
    """Return what one entity, tombstones included, contributes to its stripe's digest."""
    # Only the body may hold a line break, and it comes last: different entities, different texts.
    dead = "x" if document.deleted else ""
    text = f"{tenant}\n{document.key}\n{document.version}{dead}\n{document.body}"
    hashed = hashlib.blake2b(text.encode(), key=_KEY, digest_size=32)
    return int.from_bytes(hashed.digest(), "big")


def add(digest: str, tenant: str, *, old: Document | None, new: Document | None) -> str:
    """Return `digest` after `old` gave way to `new`; None where there was or is nothing."""
    total = int(digest, 16)
    if old is not None:
        total -= term(tenant, old)
    if new is not None:
        total += term(tenant, new)
    return f"{total % _MODULUS:064x}"
