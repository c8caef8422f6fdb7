"use strict";
/* Rows of a table that can be dragged, or moved with Alt and the arrow keys. What it does is press a button of the form that
   the table names: without this script the buttons are there all the same. */
(() => {
  let dragged = null;

  const rowOf = (event) => (event.target.closest ? event.target.closest("table[data-reorder] tr[data-name]") : null);

  const submit = (row, before) => {
    const form = document.getElementById(row.closest("table").dataset.reorder);
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "move";
    field.value = `${row.dataset.name}\t${before}`;
    form.append(field);
    form.requestSubmit();
  };

  const unmark = () => document.querySelectorAll("tr.drop-above, tr.drop-below").forEach((row) => row.classList.remove("drop-above", "drop-below"));
  const isLower = (event, row) => event.clientY > row.getBoundingClientRect().top + row.offsetHeight / 2;
  const nextOf = (row) => (row.nextElementSibling ? row.nextElementSibling.dataset.name || "" : "");

  const prepare = () => document.querySelectorAll("table[data-reorder] tr[data-name]").forEach((row) => { row.draggable = true; });
  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:afterSettle", prepare);

  document.addEventListener("dragstart", (event) => {
    dragged = rowOf(event);
    if (dragged) {
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", dragged.dataset.name);
      dragged.classList.add("dragged");
    }
  });
  document.addEventListener("dragover", (event) => {
    const row = rowOf(event);
    if (!dragged || !row || row.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    unmark();
    row.classList.add(isLower(event, row) ? "drop-below" : "drop-above");
  });
  document.addEventListener("drop", (event) => {
    const row = rowOf(event);
    if (!dragged || !row) return;
    event.preventDefault();
    const before = isLower(event, row) ? nextOf(row) : row.dataset.name;
    if (row !== dragged && before !== dragged.dataset.name && before !== nextOf(dragged)) submit(dragged, before);
  });
  document.addEventListener("dragend", () => {
    if (dragged) dragged.classList.remove("dragged");
    dragged = null;
    unmark();
  });

  document.addEventListener("keydown", (event) => {
    if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    const row = rowOf(event);
    if (!row) return;
    event.preventDefault();
    const button = row.querySelectorAll("button[name=move]")[event.key === "ArrowUp" ? 0 : 1];
    button.focus();
    button.click();
  });
})();
