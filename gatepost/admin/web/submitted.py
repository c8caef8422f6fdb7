"""What a page says after something went into the draft: that it did, and what is still odd or wrong about it there."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.response import Redirect

from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import touching
from gatepost.admin.web.desk import Desk
from gatepost.config.paths import Part

MAX_TOLD = 5
"""Problems that are said at once; Commit Changes has them all."""


def submitted(desk: Desk, made: Pending, path: str, name: str, *places: Sequence[Part]) -> Redirect:
    """Return to a page and say that `name` is in the draft, with what `config.check` has against these places of it."""
    answer = desk.drafted(path, f"{name}: submitted")
    problems = touching(made, *places)
    for problem in problems[:MAX_TOLD]:
        what = "Before it can be committed" if problem.severity == "error" else "Note"
        desk.session.notices.append(f"{what}: {problem}.")
    if len(problems) > MAX_TOLD:
        desk.session.notices.append(f"and {len(problems) - MAX_TOLD} more: see Commit Changes.")
    return answer
