"""`cell-router grant-key`: makes the key that signs grants, and what cells trust of it.

The private half goes into a file that only its owner may read; the public half is printed, for the
setting `CELL_GRANT_KEYS` of every cell.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_core.domain.ids import is_id
from cell_router.replacing import replace_file

EXIT_REFUSED: Final = 1


def main(argv: Sequence[str], *, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Run the tool; return the exit code."""
    out, err = out or sys.stdout, err or sys.stderr
    options = _parser().parse_args(argv)
    if not is_id(options.kid):
        print(f"{options.kid!r} is no key id: letters, digits and . _ ~ -, at most 64.", file=err)
        return EXIT_REFUSED
    if options.out.exists():
        print(f"{options.out} is there already: name a new file, and rotate.", file=err)
        return EXIT_REFUSED
    key = Ed25519PrivateKey.generate()
    try:
        text = json.dumps(_jwk(key, options.kid))
        replace_file(options.out, [text.encode()], mode=0o600)
    except OSError as failed:
        print(f"{options.out} cannot be written ({type(failed).__name__}).", file=err)
        return EXIT_REFUSED
    public = {**_jwk(key.public_key(), options.kid), "iss": "edge"}
    print(json.dumps({"keys": [public]}), file=out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cell-router grant-key",
        description="Make a grant key. Prints the JWKS for CELL_GRANT_KEYS of every cell, beside"
        " the keys that are there: first to the cells, then to the router.",
    )
    parser.add_argument("--kid", required=True, help="the key's name, such as edge-2026-11")
    parser.add_argument("--out", type=Path, required=True, help="the new file of the private key")
    return parser


def _jwk(key: Any, kid: str) -> dict[str, str]:  # noqa: ANN401 - either half
    made: dict[str, str] = OKPAlgorithm.to_jwk(key, as_dict=True)
    return {**made, "kid": kid}
