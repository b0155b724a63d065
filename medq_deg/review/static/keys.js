// What keys and buttons do, and where the focus goes.
"use strict";

(() => {
  const rows = () => [...document.querySelectorAll(".degradation")];
  const active = () => document.querySelector(".degradation.active");
  const help = () => document.getElementById("help");

  const choose = (row, scroll = true) => {
    if (!row) return;
    rows().forEach((each) => {
      each.classList.toggle("active", each === row);
      each.toggleAttribute("aria-current", each === row);
    });
    if (scroll) row.scrollIntoView({ block: "nearest" });
  };

  const step = (by) => {
    const all = rows();
    choose(all[Math.min(all.length - 1, Math.max(0, all.indexOf(active()) + by))]);
  };

  const decide = (verdict, reason) => {
    const row = active();
    if (!row) return;
    const form = row.querySelector(".verdict");
    form.querySelector(`[name=verdict][value=${verdict}]`).checked = true;
    if (reason) form.querySelectorAll("[name=reason]")[reason - 1].checked = true;
    htmx.trigger(form, "change");
    const complete = verdict === "keep" || form.querySelector("[name=reason]:checked");
    if (complete && rows().at(-1) !== row) step(1);
    else row.scrollIntoView({ block: "nearest" });
  };

  const comment = () => {
    const row = active();
    if (!row) return;
    row.querySelector(".more").open = true;
    row.querySelector("textarea").focus();
  };

  const submit = (id) => {
    const form = document.getElementById(id);
    if (form) form.requestSubmit();
  };

  const press = (id) => {
    const link = document.getElementById(id);
    if (link) link.click();
  };

  const todo = {
    "flip": () => viewer.flip(),
    "zoom-in": () => viewer.zoom(viewer.STEP),
    "zoom-out": () => viewer.zoom(1 / viewer.STEP),
    "tool-window": () => viewer.tool("window"),
    "tool-pan": () => viewer.tool("pan"),
    "large": () => viewer.large(),
    "reset": () => viewer.reset(),
    "help": () => help() && help().showModal(),
    "close-help": () => help().close(),
  };

  const keys = {
    "ArrowDown": () => step(1),
    "ArrowUp": () => step(-1),
    "k": () => decide("keep"),
    "d": () => decide("delete"),
    "c": comment,
    "Enter": () => submit("done-form"),
    "p": () => press("previous"),
    "s": () => submit("skip-form"),
    "u": () => submit("undo-form"),
    "f": todo.flip,
    "e": todo.large,
    "+": todo["zoom-in"],
    "=": todo["zoom-in"],
    "-": todo["zoom-out"],
    "0": todo.reset,
    "w": todo["tool-window"],
    "m": todo["tool-pan"],
    "[": () => viewer.windowing(-0.15, 0),
    "]": () => viewer.windowing(0.15, 0),
    ",": () => viewer.windowing(0, 0.05),
    ".": () => viewer.windowing(0, -0.05),
    "?": todo.help,
  };
  const moves = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };

  const letterKeys = () => {
    try {
      return localStorage.getItem("letter-keys") !== "off";
    } catch {
      return true;
    }
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const at = event.target;
    if (event.key === "Escape" && at.matches("textarea, select")) {
      at.blur();
      return;
    }
    if ((help() && help().open) || at.matches("textarea, select, input:not([type=radio]):not([type=checkbox])")) return;
    if (!rows().length && !["u", "?"].includes(event.key)) return;
    const onControl = at.matches("button, a, summary");
    if (event.key === "Enter" && onControl) return;
    if (!letterKeys() && event.key.length === 1) return;
    let action = null;
    if (event.shiftKey && moves[event.key]) action = () => viewer.pan(...moves[event.key]);
    else if (/^[1-6]$/.test(event.key)) action = () => decide("delete", Number(event.key));
    else if (at.matches("input[type=radio]") && event.key.startsWith("Arrow")) return;
    else action = keys[event.key] || keys[event.key.toLowerCase()];
    if (!action || (event.repeat && ["Enter", "k", "d", "s", "u", "p"].includes(event.key))) return;
    event.preventDefault();
    action();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) todo[button.dataset.do]();
    choose(event.target.closest(".degradation"), false);
  });
  document.addEventListener("focusin", (event) => choose(event.target.closest(".degradation"), false));
  document.addEventListener("review:row", (event) => choose(event.detail, false));

  document.addEventListener("change", (event) => {
    if (event.target.id !== "letter-keys") return;
    try {
      localStorage.setItem("letter-keys", event.target.checked ? "on" : "off");
    } catch {
      // Private windows may have no storage; the choice then holds for nothing but the box itself.
    }
  });

  // What came from the server: a new question, or a message about this one.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "work") return;
    document.dispatchEvent(new CustomEvent("review:question"));
    document.title = document.querySelector(".degradation") ? "Question · Expert review" : "Expert review";
    window.scrollTo(0, 0);
    const heading = document.getElementById("question");
    if (heading) heading.focus({ preventScroll: true });
  });
  document.addEventListener("htmx:beforeRequest", () => {
    const message = document.getElementById("message");
    if (message) message.hidden = true;
  });
  document.addEventListener("htmx:oobAfterSwap", (event) => {
    if (event.detail.target.id !== "message") return;
    const message = document.getElementById("message");
    message.focus();
    if (message.dataset.missing) choose(rows()[Number(message.dataset.missing)]);
  });

  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("letter-keys");
    if (box) box.checked = letterKeys();
    choose(rows()[0], false);
  });
})();
