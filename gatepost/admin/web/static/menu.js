// Where the menu stands above the page it is folded, so that the page begins in sight; without scripts it stays open.
(() => {
  "use strict";
  const narrow = matchMedia("(max-width: 52rem)");
  const fold = () => document.querySelectorAll(".menu-fold").forEach((menu) => { menu.open = !narrow.matches; });
  narrow.addEventListener("change", fold);
  fold();
})();
