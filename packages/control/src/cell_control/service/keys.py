"""The keys that sign grants and the registry: make, publish, switch, retire, list.

A private half is in one file that only its owner may read, and nowhere else; this returns none but
to the process that signs with it. Refuses to overwrite a key.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, Protocol

from pydantic import TypeAdapter, ValidationError

from cell_control.domain import key_ring
from cell_control.domain.key_ring import KeyEntry, KeyRing, Purpose
from cell_control.errors import Invalid
from cell_core.domain.canonical import canonical
from cell_core.ports import Clock
from cell_core.wire.registry_keys import new_private_jwk, public_jwk

RING: Final = "keys.json"
CELLS: Final = "cells.jwks.json"
"""What every cell trusts: grants of the edge and of the control plane."""

REGISTRY: Final = "registry.jwks.json"
"""What every router trusts: the registry's signatures."""

_RING: Final = TypeAdapter(KeyRing)


class KeyFolder(Protocol):
    """Where keys are kept. A file is replaced as a whole, or left as it was."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from changing it."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content, None for no file.

        Raises:
            Refused: `key_exposed`; others than its owner may read a private file.
        """

    def write(self, name: str, content: bytes, *, private: bool) -> None:
        """Write a file; a private one may be read by its owner alone."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""


class Keys:
    """What may be asked for keys."""

    def __init__(self, folder: KeyFolder, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def ring(self) -> KeyRing:
        """Return all keys, retired ones too, without their halves.

        Raises:
            Invalid: `keys_broken`; the list is none.
        """
        text = self._folder.read(RING)
        try:
            return () if text is None else _RING.validate_json(text)
        except ValidationError:
            raise Invalid("keys_broken", at=RING, problem="restore it from a backup") from None

    def new(self, purpose: Purpose, kid: str = "") -> KeyEntry:
        """Make a key beside the one that signs; publish it next.

        Raises:
            Conflict, Invalid, Refused: See `key_ring.with_new`.
        """
        now_ms = self._clock.now_ms()
        kid = kid or f"{purpose}-{now_ms // 1000}"
        with self._folder.locked():
            ring = key_ring.with_new(self.ring(), purpose, kid, now_ms)
            # The key before the list: one that is listed is there.
            made = {**json.loads(new_private_jwk(kid)), "iss": purpose}
            self._folder.write(_file(kid), json.dumps(made).encode(), private=True)
            self._keep(ring)
        return ring[-1]

    def publish(self) -> dict[str, bytes]:
        """Write the key sets that cells and routers trust, and return them by their files' names.

        Whoever deploys them goes by the dates of `ring`.
        """
        with self._folder.locked():
            ring = key_ring.published(self.ring(), self._clock.now_ms())
            sets = self._sets(ring)
            for name, content in sets.items():
                self._folder.write(name, content, private=False)
            self._keep(ring)
        return sets

    def switch(self, kid: str, *, at_once: bool = False) -> KeyEntry:
        """Let `kid` sign from now on; processes that sign have to be told to read it.

        Raises:
            NotFound, Refused: See `key_ring.switched`.
        """
        return self._change(kid, partial(key_ring.switched, at_once=at_once))

    def retire(self, kid: str, *, at_once: bool = False) -> KeyEntry:
        """Stop to trust `kid`, write the key sets without it, and remove its private half.

        Raises:
            NotFound, Refused: See `key_ring.retired`.
        """
        entry = self._change(kid, partial(key_ring.retired, at_once=at_once))
        self.publish()
        self._folder.remove(_file(kid))
        return entry

    def rotate(self, purpose: Purpose) -> KeyEntry:
        """Do the next step of a rotation that is due: make and publish, switch, or retire.

        Raises:
            Refused: `key_refused`, `too_early`: with how long to wait.
        """
        entries = [e for e in self.ring() if e.purpose == purpose]
        by_state = {entry.state: entry for entry in entries}
        state = key_ring.KeyState
        if state.PUBLISHED in by_state:
            return self.switch(by_state[state.PUBLISHED].kid)
        if state.OLD in by_state:
            return self.retire(by_state[state.OLD].kid)
        kid = by_state[state.NEW].kid if state.NEW in by_state else self.new(purpose).kid
        self.publish()
        return next(entry for entry in self.ring() if entry.kid == kid)

    def private(self, purpose: Purpose) -> str:
        """Return the private key that signs for `purpose`, for the process that signs with it.

        Raises:
            NotFound: `key_not_found`; none signs.
        """
        entry = key_ring.signing(self.ring(), purpose)
        return self._private(entry.kid)

    def _private(self, kid: str) -> str:
        text = self._folder.read(_file(kid))
        if text is None:
            raise Invalid("keys_broken", at=_file(kid), problem="restore it, or retire the key")
        return text.decode()

    def _change(self, kid: str, change: Callable[[KeyRing, str, int], KeyRing]) -> KeyEntry:
        with self._folder.locked():
            ring = change(self.ring(), kid, self._clock.now_ms())
            self._keep(ring)
        return next(entry for entry in ring if entry.kid == kid)

    def _sets(self, ring: KeyRing) -> dict[str, bytes]:
        return {
            CELLS: self._set(key_ring.live(ring, "control", "edge")),
            REGISTRY: self._set(key_ring.live(ring, "registry")),
        }

    def _set(self, entries: list[KeyEntry]) -> bytes:
        public = [{**public_jwk(self._private(e.kid)), "iss": e.purpose} for e in entries]
        return canonical({"keys": public}).encode()

    def _keep(self, ring: KeyRing) -> None:
        self._folder.write(RING, _RING.dump_json(ring), private=False)


def _file(kid: str) -> str:
    return f"{kid}.private.jwk"
