"""Every dialog against the engine: whole, and octet by octet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dialog import Dialog, EnginePeer, play

DIALOGS = [Dialog.load(path) for path in sorted((Path(__file__).parent.parent / "dialogs").glob("*.dialog"))]


def _name(dialog: Dialog) -> str:
    return dialog.name


@pytest.mark.parametrize("dialog", DIALOGS, ids=_name)
def test_dialog_whole(dialog: Dialog) -> None:
    play(dialog, EnginePeer(dialog.settings))


@pytest.mark.parametrize("dialog", [dialog for dialog in DIALOGS if "whole" not in dialog.settings], ids=_name)
def test_dialog_octet_by_octet(dialog: Dialog) -> None:
    play(dialog, EnginePeer(dialog.settings, one_by_one=True))
