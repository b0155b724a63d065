"use strict";
// Shows the rows that fit the filters, a few at a time. Reads numbers and fixed words only, writes text only.
(() => {
  const PAGE = 8;
  const byId = (name) => document.getElementById(name);
  const rows = Array.from(document.querySelectorAll("#rows > .row"));
  const controls = ["run", "outcome", "degradation", "modality"].map((name) => byId("filter-" + name));
  const status = byId("status");
  const more = byId("more");
  if (!rows.length || controls.some((control) => !control)) return;
  let limit = PAGE;

  const fits = (row) => {
    const [run, outcome, degradation, modality] = controls.map((control) => control.value);
    if (degradation && row.dataset.degradation !== degradation) return false;
    if (modality && row.dataset.modality !== modality) return false;
    const own = row.dataset.outcomes.split(" ").map((pair) => pair.split(":"));
    return own.some(([number, name]) => (!run || number === run) && (!outcome || name === outcome));
  };

  const update = () => {
    const found = rows.filter(fits);
    rows.forEach((row) => { row.hidden = true; });
    found.slice(0, limit).forEach((row) => { row.hidden = false; });
    const seen = Math.min(limit, found.length);
    status.textContent = found.length ? `${seen} of ${found.length} rows that fit, of ${rows.length} on this page`
      : `No row on this page fits; choose less.`;
    more.hidden = seen === found.length;
  };

  controls.forEach((control) => control.addEventListener("change", () => { limit = PAGE; update(); }));
  byId("reset").addEventListener("click", () => {
    controls.forEach((control) => { control.value = ""; });
    limit = PAGE;
    update();
  });
  more.addEventListener("click", () => {
    const first = rows.filter(fits)[limit];
    limit += PAGE;
    update();
    if (first) first.querySelector("h3").focus();
  });
  // Paper has room for all rows that fit.
  window.addEventListener("beforeprint", () => { rows.forEach((row) => { row.hidden = !fits(row); }); });
  window.addEventListener("afterprint", update);
  byId("filters").hidden = false;
  update();
})();
