// Draws a chart above each table that has data-chart, from what the table says. Without this, the table is there.
"use strict";
(() => {
  const DASHES = [[], [8, 5], [2, 4], [12, 4, 2, 4]];
  const HEIGHT = 220;

  function moment(seconds, wanted) {
    return new Date(seconds * 1000).toLocaleString("en-GB", { timeZone: "UTC", ...wanted });
  }

  // A day where a day is what one mark stands for, or where it begins; otherwise the hour.
  function marks(_, times, __, ___, step) {
    return times.map((time) => time % 86400 === 0 || step >= 86400
      ? moment(time, { day: "numeric", month: "short" }) : moment(time, { hour: "2-digit", minute: "2-digit" }));
  }

  function read(table) {
    const labels = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
    const rows = [...table.tBodies[0].rows].reverse(); // the table has the newest first
    const times = rows.map((row) => Number(row.cells[0].dataset.time));
    const columns = labels.map((_, place) => rows.map((row) => Number(row.cells[place + 1].textContent.replaceAll(",", ""))));
    return { labels, data: [times, ...columns] };
  }

  function draw(place, { labels, data }) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const lines = labels.map((label, number) => ({
      label, stroke: colour(`--chart-${number + 1}`), width: 2, dash: DASHES[number % DASHES.length],
      points: { show: data[0].length < 60 }, value: (_, value) => (value === null ? "" : value.toLocaleString("en")),
    }));
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line") }, ticks: { stroke: colour("--line") } };
    return new uPlot({
      width: place.clientWidth, height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.05)] } },
      series: [{ label: "Time", value: (_, time) => (time === null ? "UTC" : `${moment(time, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })} UTC`) }, ...lines],
      axes: [{ ...axis, values: marks }, { ...axis, size: 60, incrs: [1, 2, 5].flatMap((one) => [0, 1, 2, 3, 4, 5, 6, 7, 8].map((ten) => one * 10 ** ten)).sort((a, b) => a - b) }],
      cursor: { drag: { x: false, y: false } },
    }, data, place);
  }

  for (const table of document.querySelectorAll("table[data-chart]")) {
    const details = table.closest("details");
    const place = document.createElement("div");
    place.className = "chart";
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", `Chart: ${table.dataset.chart}. The figures are in the table below.`);
    details.before(place);
    details.open = false;
    const found = read(table);
    let plot = draw(place, found);
    new ResizeObserver(() => {
      if (place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: HEIGHT });
    }).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      plot.destroy();
      plot = draw(place, found);
    });
  }
})();
