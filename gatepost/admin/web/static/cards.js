// A table that is wider than a narrow window: each row becomes a card, its cells below one another behind the names of their
// columns. What fits stays a table, and without this script the table is scrolled sideways.
(() => {
  "use strict";
  const narrow = matchMedia("(max-width: 44rem)");
  const widths = new WeakMap();

  const nameCells = (table) => {
    const columns = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
    for (const row of [...table.tBodies].flatMap((body) => [...body.rows])) {
      let column = 0;
      for (const cell of row.cells) {
        if (cell.colSpan === 1) cell.dataset.column = columns[column];
        column += cell.colSpan;
      }
    }
  };

  const fit = (box) => {
    const table = box.querySelector("table");
    if (!table?.tHead) return;
    table.classList.remove("cards");
    if (!narrow.matches || box.scrollWidth <= box.clientWidth) return;
    nameCells(table);
    table.classList.add("cards");
  };

  const seen = new ResizeObserver((sizes) => sizes.forEach(({ target }) => {
    if (widths.get(target) === target.clientWidth) return; // only its height is another: the cards made it so
    widths.set(target, target.clientWidth);
    fit(target);
  }));
  const find = () => document.querySelectorAll(".scroll").forEach((box) => {
    widths.set(box, box.clientWidth);
    fit(box);
    seen.observe(box);
  });
  find();
  document.addEventListener("htmx:afterSwap", find);
})();
