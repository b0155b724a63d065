"use strict";
// Chooses, sorts and searches what is on the page. Reads numbers and fixed words, writes text.
(() => {
  const byId = (name) => document.getElementById(name);
  document.documentElement.classList.add("scripted");
  byId("tools").hidden = false;

  const body = byId("models");
  const rows = Array.from(body.rows, (row) => ({
    row,
    name: row.dataset.name,
    group: row.dataset.group,
    shift: row.dataset.shift === "" ? null : Number(row.dataset.shift),
    views: new Map(row.dataset.views.split(" ").map((view) => {
      const [key, numbers] = view.split(":");
      const [rank, low, high, clean, degraded] = numbers.split(",").map(Number);
      return [key, { rank, low, high, clean, degraded, change: degraded - clean }];
    })),
  }));
  const others = Array.from(document.querySelectorAll(".unranked > li"));
  const chips = Array.from(document.querySelectorAll(".chip"));
  const search = byId("search");
  const view = byId("view");
  const order = byId("sort");
  const [left, right] = document.querySelector(".bars small").textContent.match(/\d+/g).map(Number);
  const state = { group: "", key: "rank", best: true };

  // The best first: few places, many right, a small loss, little surplus of sureness, the start of the alphabet.
  const HIGH = new Set(["clean", "change"]);
  const value = (each, key) => {
    if (key === "model") return each.name;
    if (key === "shift") return each.shift;
    const figures = each.views.get(view.value);
    return figures ? figures[key] : null;
  };
  const compare = (one, other) => {
    const [a, b] = [value(one, state.key), value(other, state.key)];
    if (a === null || b === null) return (a === null) - (b === null);
    const way = state.key === "model" ? a.localeCompare(b) : HIGH.has(state.key) ? b - a : a - b;
    return state.best ? way : -way;
  };

  const points = (number) => {
    const written = Math.abs(number).toFixed(1);
    return written === "0.0" ? "0.0" : (number < 0 ? "−" : "+") + written;
  };
  const place = (percent) => `${100 * (percent - left) / (right - left)}%`;

  const fill = ({ row, views }) => {
    const figures = views.get(view.value);
    const write = (selector, text) => { row.querySelector(selector).textContent = text; };
    write(".rank b", figures ? figures.rank : "–");
    write(".rank small", !figures ? "" : figures.low === figures.high ? figures.low : `${figures.low}–${figures.high}`);
    write(".degraded b", figures ? figures.degraded.toFixed(1) : "–");
    write(".clean", figures ? figures.clean.toFixed(1) : "–");
    write(".change", figures ? points(figures.change) : "–");
    const track = row.querySelector(".track");
    track.toggleAttribute("hidden", !figures);
    if (!figures) return;
    const set = (selector, name, at) => track.querySelector(selector).setAttribute(name, place(at));
    set(".span", "x1", figures.degraded);
    set(".span", "x2", figures.clean);
    set(".was", "cx", figures.clean);
    set(".is", "x", figures.degraded);
  };

  const update = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((each) => {
      const fits = each.name.includes(wanted) && (!state.group || each.group === state.group);
      each.row.hidden = !fits;
      shown += fits;
    });
    let below = 0;
    others.forEach((each) => {
      each.hidden = !each.dataset.name.includes(wanted);
      below += !each.hidden;
    });
    byId("none").hidden = shown > 0;
    byId("count").textContent = `${shown} of ${rows.length} models` + (wanted && below ? `, ${below} not ranked` : "");
  };

  const sort = () => {
    rows.sort(compare);
    body.append(...rows.map((each) => each.row));
    document.querySelectorAll(".ranks thead th").forEach((head) => {
      if (head.dataset.key !== state.key) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", HIGH.has(state.key) === state.best ? "descending" : "ascending");
    });
    order.value = state.key;
  };

  const look = () => {
    const chosen = view.selectedOptions[0].dataset;
    byId("headline").textContent = chosen.headline;
    byId("lead").textContent = chosen.lead;
    byId("column").textContent = chosen.column;
    byId("which").textContent = chosen.which;
    rows.forEach(fill);
    sort();
  };

  document.querySelectorAll(".ranks thead .head").forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceWith(button);
    button.addEventListener("click", () => {
      const { key } = button.parentNode.dataset;
      state.best = state.key === key ? !state.best : true;
      state.key = key;
      sort();
    });
  });
  order.addEventListener("change", () => { state.key = order.value; state.best = true; sort(); });
  view.addEventListener("change", look);
  search.addEventListener("input", update);
  const choose = (group) => {
    state.group = group;
    chips.forEach((chip) => chip.setAttribute("aria-pressed", String(chip.dataset.group === group)));
    update();
  };
  chips.forEach((chip) => chip.addEventListener("click", () => choose(chip.dataset.group)));
  byId("reset").addEventListener("click", () => {
    search.value = "";
    choose("");
    search.focus();
  });

  // A model's figures, over the page. Where the page is a frame of another one, its own places cannot be linked to.
  const dialog = byId("page");
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    event.preventDefault();
    const target = byId(link.getAttribute("href").slice(1));
    if (!target.matches(".model")) {
      target.scrollIntoView();
      target.focus({ preventScroll: true });
      return;
    }
    const copy = target.cloneNode(true);
    copy.removeAttribute("id");
    byId("page-title").textContent = copy.querySelector("h3").textContent;
    byId("page-body").replaceChildren(copy);
    dialog.showModal();
  });
  byId("page-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // What a browser kept of the fields from before.
  look();
  update();
})();
