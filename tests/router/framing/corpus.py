"""Every case of the corpus; names are unique, so that a failure names its bytes."""

from typing import Final

from tests.router.framing import (
    corpus_chunks,
    corpus_codings,
    corpus_connection,
    corpus_fields,
    corpus_forged,
    corpus_lengths,
    corpus_lines,
    corpus_targets,
)
from tests.router.framing.case import Case

CASES: Final[tuple[Case, ...]] = (
    *corpus_lengths.CASES,
    *corpus_codings.CASES,
    *corpus_chunks.CASES,
    *corpus_fields.CASES,
    *corpus_targets.CASES,
    *corpus_lines.CASES,
    *corpus_connection.CASES,
    *corpus_forged.CASES,
)
