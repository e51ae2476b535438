"""Which lake a command means: `--lake`, else CELLCTL_LAKE, else the profile's.

Credentials are found as delta-rs finds them, in the environment or as the machine's identity.
Refuses them on the command line, where every user of the machine could read them.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cell_lake.cli.around import Around
from cell_lake.lineage_export import LineageTable
from cell_lake.query import Place, connect_all, silence_told
from cell_lake.settings import EVENTS_TABLE, LINEAGE_TABLE, is_secret, table_url
from cell_lake.table_delta import DeltaLakeTable

if TYPE_CHECKING:
    import duckdb

ROOTS_MAX: Final = 16


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name lakes."""
    parser.add_argument(
        "--lake",
        action="append",
        default=[],
        metavar="URL",
        help="the lake's root, as CELL_LAKE_URL of a relay; again for a lake in another cloud",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="for delta-rs's object store, such as aws_region=eu-west-1; no secrets",
    )


def places_of(options: argparse.Namespace, around: Around) -> list[Place]:
    """Return where the tables of all lakes are."""
    given = _options(options.option, around)
    return [
        Place(table_url(root, EVENTS_TABLE), table_url(root, LINEAGE_TABLE), given or None)
        for root in _roots(options, around)
    ]


@contextmanager
def connected(options: argparse.Namespace, around: Around) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Lend a connection to all lakes as to one; say which of them are not there yet.

    Raises:
        LakeUnavailable: A store did not answer, at the beginning or to what was asked inside.
    """
    places = places_of(options, around)
    for root in absent(places):
        around.err.write(f"note: there is no lake at {root} yet, so it is an empty one.\n")
    with connect_all(places) as connection, silence_told():
        yield connection


def events_of(options: argparse.Namespace, around: Around) -> list[DeltaLakeTable]:
    """Return the tables of events, all of which are there."""
    places = places_of(options, around)
    for root in absent(places):
        raise around.fail(
            f"There is no lake at {root}.",
            "A relay makes one with its first event.",
            code="lake_not_found",
        )
    return [DeltaLakeTable(place.events_url, place.options) for place in places]


def absent(places: Sequence[Place]) -> list[str]:
    """Return the roots below which there is no table of events.

    Raises:
        LakeUnavailable: A store did not answer.
    """
    return [
        place.events_url.removesuffix(f"/{EVENTS_TABLE}")
        for place in places
        if not DeltaLakeTable(place.events_url, place.options).is_there()
    ]


def lineage_of(options: argparse.Namespace, around: Around) -> list[LineageTable]:
    """Return the tables of lineage."""
    return [LineageTable(place.lineage_url, place.options) for place in places_of(options, around)]


def _roots(options: argparse.Namespace, around: Around) -> Sequence[str]:
    roots = options.lake or around.kept.get("lake", "").split()
    if not roots or len(roots) > ROOTS_MAX:
        raise around.fail(
            "No lake is named." if not roots else f"More than {ROOTS_MAX} lakes are named.",
            "Name its root with --lake or in CELLCTL_LAKE: a folder, s3:// or abfss://.",
            code="usage",
        )
    return roots


def _options(given: Sequence[str], around: Around) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, is_pair, text = each.partition("=")
        if not is_pair or not name:
            raise around.fail("An --option is NAME=TEXT.", code="usage")
        if is_secret(name):
            raise around.fail(
                f"{name} would be seen by everybody on this machine.",
                "Put it into the environment, where delta-rs looks for it.",
                code="usage",
            )
        found[name] = text
    return found
