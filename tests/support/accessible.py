"""What anybody can use: axe-core's serious findings on a page, what sticks out of the window, and columns out of sight.

axe-core is vendored beside this file and runs in the page as the tests open it; the pages themselves load nothing of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

from tests.support.web import NARROW, WIDE

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
HEIGHT = 900
Scheme = Literal["light", "dark"]
_RUN = """async (rules) => {
    const drawn = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    await drawn();  // what follows a change of the width is done by then
    await drawn();
    const only = rules.length ? { type: "rule", values: rules }
        : { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] };
    const found = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
    return found.violations.filter(one => ["serious", "critical"].includes(one.impact))
        .flatMap(one => one.nodes.map(node => `${one.id}: ${node.target.join(" ")} ${node.failureSummary}`));
}"""
_STICKS_OUT = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > width + 1
        && !one.closest(".scroll, pre, .skip"));
    return wide.slice(-3).map(one => `sticks out: ${one.outerHTML.slice(0, 160)}`);
}"""
_HIDDEN = """() => [...document.querySelectorAll(".scroll")].filter(box => box.scrollWidth > box.clientWidth + 1)
    .map(box => `columns out of sight: ${box.innerText.slice(0, 80)}`)"""
LAID_OUT = ("color-contrast", "scrollable-region-focusable", "target-size")
"""Rules whose verdict may differ between two widths or two schemes."""


def prepare(page: Page) -> None:
    """Have axe-core in every page that this window opens from now on."""
    page.add_init_script(AXE)


def findings(page: Page, *, thorough: bool = False) -> list[str]:
    """Return what is wrong with the page as it is open; empty when all is well.

    Held to every rule wide and light, to what may differ narrow and dark; `thorough`: to every rule at both, each in both.
    """
    found: list[str] = []
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        schemes: tuple[Scheme, ...] = ("light", "dark") if thorough else ("light",) if width == WIDE else ("dark",)
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            rules = [] if thorough or width == WIDE else LAID_OUT
            answer: Any = page.evaluate(_RUN, list(rules))
            found += [f"{width} {scheme} {one}" for one in answer]
        found += [f"{width} {one}" for one in page.evaluate(_STICKS_OUT) + page.evaluate(_HIDDEN)]
    page.emulate_media(color_scheme="light")
    return found
