// What is larger than its place can be scrolled by keyboard too: it is a stop of the tab key while it is larger.
(() => {
  "use strict";
  const look = (box) => {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const sizes = new ResizeObserver((seen) => seen.forEach((one) => look(one.target)));
  const find = () => document.querySelectorAll(".scroll, pre").forEach((box) => {
    look(box);
    sizes.observe(box);
  });
  find();
  document.addEventListener("htmx:afterSwap", find);
})();
