"use strict";
// Shows the rows that fit the filters, a few at a time, and enlarges images. Reads numbers and fixed words, writes text.
(() => {
  const byId = (name) => document.getElementById(name);

  const PAGE = 8;
  const rows = Array.from(document.querySelectorAll("#cards > .row"));
  const controls = ["run", "outcome", "degradation", "modality"].map((name) => byId("filter-" + name));
  const status = byId("status");
  const more = byId("more");
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

  if (rows.length && controls.every((control) => control)) {
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
      if (first) first.querySelector("h4").focus();
    });
    byId("filters").hidden = false;
    update();
  }

  // All images of a set, large, side by side.
  const large = byId("large");
  const close = () => large.close();
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".enlarge");
    if (!button) return;
    const set = button.closest(".pics");
    byId("large-title").textContent = set.dataset.set;
    const place = large.querySelector(".large");
    place.replaceChildren(...Array.from(set.querySelectorAll("img"), (small) => {
      const figure = document.createElement("figure");
      const image = new Image();
      image.src = small.src;
      image.alt = small.alt;
      const caption = document.createElement("figcaption");
      caption.textContent = small.alt;
      figure.append(image, caption);
      return figure;
    }));
    large.showModal();
  });
  byId("large-close").addEventListener("click", close);
  large.addEventListener("click", (event) => { if (event.target === large) close(); });

  // Paper has room for everything.
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((each) => { each.open = true; });
    rows.forEach((row) => { row.hidden = !fits(row); });
  });
  window.addEventListener("afterprint", () => { if (rows.length) update(); });
})();
