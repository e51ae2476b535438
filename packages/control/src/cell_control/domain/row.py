"""One row of the decision table: in which states, under which condition, what is done."""

from collections.abc import Callable
from typing import NamedTuple

from cell_control.domain.actions import Action
from cell_control.domain.records import State
from cell_control.domain.views import Case


class Row(NamedTuple):
    """The first row whose `states` and `when` hold decides; `name` is for metrics and logs."""

    name: str
    states: frozenset[State]
    when: Callable[[Case], bool]
    then: Callable[[Case], Action]
