"""`cell-router registry`: keys, a draft of the registry, and its publication.

Writes what the control plane will write one day. Errors say what to do; exit codes: 0 done, 1
refused, 2 wrong usage, 3 the place cannot be reached.
"""

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final, TextIO

from cell_core.wire.registry import CellRecord, GroupRecord, RegistryRefused
from cell_core.wire.registry_keys import RegistrySigner, new_private_jwk, public_jwk
from cell_core.wire.registry_snapshot import Row, seal_snapshot
from cell_router.ports import SourceUnavailable
from cell_router.registry_arguments import parser
from cell_router.registry_draft import Draft, DraftRefused, Wanted, read_draft, write_draft
from cell_router.registry_import import import_tenants
from cell_router.registry_publish import publish, published_rev
from cell_router.replacing import replace_file

DONE: Final = 0
REFUSED: Final = 1
UNREACHABLE: Final = 3

Said = dict[str, Any]

_BAR = 30


def main(
    argv: Sequence[str],
    *,
    now_ms: Callable[[], int] | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Run one command; return its exit code."""
    arguments = parser().parse_args(argv)
    err = err or sys.stderr
    try:
        said = _run(arguments, now_ms or _wall_ms, err)
    except DraftRefused as refused:
        return _complain(err, str(refused), REFUSED)
    except RegistryRefused as refused:
        what = refused.fields.get("record") or refused.fields.get("part") or "registry"
        return _complain(err, f"the {what} is not well formed ({refused.code})", REFUSED)
    except SourceUnavailable as error:
        text = f"the place cannot be used ({error}): check its address and credentials"
        return _complain(err, text, UNREACHABLE)
    except OSError as error:
        text = f"{error.filename or 'a file'} cannot be used ({type(error).__name__})"
        return _complain(err, text, REFUSED)
    (out or sys.stdout).write(_text(said, as_json=arguments.json))
    return DONE


def _run(arguments: argparse.Namespace, now_ms: Callable[[], int], err: TextIO) -> Said:
    match arguments.command:
        case "keys":
            return _new_keys(arguments.kid, arguments.private, arguments.public)
        case "init":
            return _init(arguments.file)
        case "list":
            return _list(read_draft(arguments.file), arguments.limit)
        case "show":
            return _show(read_draft(arguments.file), arguments.tenant)
        case "publish":
            return _publish(read_draft(arguments.file), arguments, now_ms())
        case _:
            with _edited(arguments.file) as draft:
                done = _edit(draft, arguments, err)
                return {"rev": draft.rev, **done}


def _edit(draft: Draft, arguments: argparse.Namespace, err: TextIO) -> Said:
    match arguments.command:
        case "add-cell":
            cell = CellRecord(
                id=arguments.cell,
                ordinal=arguments.ordinal,
                cloud=arguments.cloud,
                region=arguments.region,
                base_url=arguments.url.rstrip("/"),
                grant_header=arguments.grant_header,
            )
            draft.add_cell(cell)
            return asdict(cell)
        case "put-group":
            placed = draft.put_group(arguments.group, cell=arguments.cell, epoch=arguments.epoch)
            return asdict(placed)
        case "put-tenant":
            given = {one.name: getattr(arguments, one.name) for one in fields(Wanted)}
            return asdict(draft.put_tenant(arguments.tenant, Wanted(**given)))
        case "remove-tenant":
            draft.remove_tenant(arguments.tenant)
            return {"removed": arguments.tenant}
        case _:
            return {"imported": import_tenants(draft, arguments.path, _bar_on(err))}


def _new_keys(kid: str, private: Path, public: Path) -> Said:
    try:
        key = new_private_jwk(kid)
        keys = json.loads(public.read_text())["keys"] if public.exists() else []
    except (ValueError, KeyError, TypeError):
        raise DraftRefused(f"a kid is an identifier, and {public} a JWKS: one is not") from None
    if any(one.get("kid") == kid for one in keys):
        raise DraftRefused(f"{public} has a key {kid}: choose another --kid")
    try:
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise DraftRefused(f"{private} exists and is not overwritten: choose another") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    keys = [*keys, public_jwk(key)]
    replace_file(public, [json.dumps({"keys": keys}, indent=2).encode() + b"\n"])
    return {"kid": kid, "private": str(private), "public": str(public), "keys": len(keys)}


def _init(path: Path) -> Said:
    if path.exists():
        raise DraftRefused(f"{path} exists and is not overwritten")
    write_draft(path, Draft())
    return {"file": str(path)}


def _list(draft: Draft, limit: int) -> Said:
    return {
        "rev": draft.rev,
        "cells": {cell.id: cell.base_url for cell in draft.cells.values()},
        "groups": draft.groups,
        "tenant_count": len(draft.tenants),
        "tenants": dict(sorted(draft.tenants.items())[: max(0, limit)]),
    }


def _show(draft: Draft, tenant: str) -> Said:
    record = draft.tenant(tenant)
    if record is None:
        raise DraftRefused(f"there is no tenant {tenant}")
    epoch, cell = draft.home(record)
    home = {"effective_epoch": epoch, "cell": cell.id if cell else None}
    return {**asdict(record), **home}


def _publish(draft: Draft, arguments: argparse.Namespace, now_ms: int) -> Said:
    homeless = draft.homeless()
    if homeless:
        names = ", ".join(homeless)
        raise DraftRefused(f"no cell owns the epoch of {names}: add-cell it or put-tenant again")
    try:
        signer = RegistrySigner(arguments.key.read_text())
        options = dict(_option(one) for one in arguments.option)
        reach = {"ca": arguments.ca, "credential_file": arguments.credential_file}
        to = arguments.to if "://" in arguments.to else Path(arguments.to).absolute().as_uri()
        there = published_rev(to, options=options, **reach)
        if there > draft.rev and not arguments.restore:
            raise DraftRefused(
                f"rev {there} is published, this is {draft.rev}: is it an old draft?"
            )
        data = sealed_draft(draft, now_ms, signer)
        publish(to, data, draft.rev, options=options, **reach)
    except ValueError as error:
        raise DraftRefused(f"it cannot be published: {error}") from None
    return {"rev": draft.rev, "tenants": len(draft.tenants), "bytes": len(data)}


def sealed_draft(draft: Draft, created_ms: int, signer: RegistrySigner) -> bytes:
    """Return the draft as a signed snapshot."""
    rows: list[Row] = sorted((name.encode(), text.encode()) for name, text in draft.tenants.items())
    sealed = seal_snapshot(
        rev=draft.rev,
        created_ms=created_ms,
        cells=list(draft.cells.values()),
        groups=[GroupRecord(group=name, epoch=epoch) for name, epoch in draft.groups.items()],
        rows=rows,
        signer=signer,
    )
    return b"".join(sealed)


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError("an --option is NAME=VALUE")
    return name, value


@contextmanager
def _edited(path: Path) -> Iterator[Draft]:
    """Lend the draft, and write it if nothing was refused; one editor at a time."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        draft = read_draft(path)
        yield draft
        write_draft(path, draft)


def _bar_on(err: TextIO) -> Callable[[int, float], None]:
    def report(count: int, part: float) -> None:
        if err.isatty():
            full = round(part * _BAR)
            end = "\n" if part >= 1 else ""
            err.write(f"\r[{'#' * full}{' ' * (_BAR - full)}] {count:,} tenants{end}")
            err.flush()

    return report


def _text(said: Mapping[str, Any], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(said) + "\n"
    lines: list[str] = []
    for name, value in said.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {key}: {one}" for key, one in value.items())]
        else:
            lines.append(f"{name}: {'' if value is None else value}")
    return "\n".join(lines) + "\n"


def _complain(err: TextIO, text: str, code: int) -> int:
    err.write(f"cell-router registry: {text}\n")
    return code


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
