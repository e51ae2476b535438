"""Requests that a cell must refuse, as data: each with the status and code that it deserves."""

from typing import Final

from tests.parity.bad_controls import controls, documents, unstorable
from tests.parity.bad_envelopes import bundles, data, envelopes, headers
from tests.parity.bad_targets import paths, queries
from tests.parity.bad_texts import texts
from tests.parity.steps import Step

BAD: Final[tuple[Step, ...]] = (
    *envelopes(),
    *data(),
    *texts(),
    *headers(),
    *paths(),
    *queries(),
    *bundles(),
    *controls(),
    *documents(),
)

UNSTORABLE: Final[tuple[Step, ...]] = tuple(unstorable())
"""Copies that are taken although one cloud cannot store them, or no read can answer them."""
