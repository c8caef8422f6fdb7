"""A listener's Host Access Table as text: written for an export, and read to take the place of the one in the draft.

The text format is that of `config.hat_text`. An import replaces the table or changes nothing: what is wrong with the text
itself and what is wrong with it beside the rest of the draft is told at once, each by its line.
"""

from __future__ import annotations

from gatepost.admin.operations.configuration import Pending, Told
from gatepost.admin.operations.operator import Operator


def export_text(operator: Operator, listener_name: str = "", *, draft: bool = True) -> str:
    """Return the table of a listener (none named: the first public one), as the draft or the committed document has it."""
    raise NotImplementedError


def import_text(operator: Operator, listener_name: str, text: str, told: Told = lambda doing, done, of: None) -> Pending:
    """Replace the table of a listener in the draft; ConfigErrors with every bad line, and then nothing is changed.

    What was passed over (settings of the appliance that Gatepost does not have) is in the notes of what is returned.
    """
    raise NotImplementedError
