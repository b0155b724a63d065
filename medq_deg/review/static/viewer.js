// The images of a question: zoom, pan and window are the same for all of them, so that one place is compared.
"use strict";

const viewer = (() => {
  const LARGEST = 16, STEP = 1.25;
  const view = { zoom: 1, x: 0, y: 0, level: 0.5, width: 1, tool: "window", chosen: false, flipped: false };

  const frames = () => [...document.querySelectorAll(".frame")];

  const draw = () => {
    const plain = view.level === 0.5 && view.width === 1;
    if (!plain) {
      // Grey level in to grey level out: the window's lower end is black, its upper end white.
      const slope = 1 / view.width, intercept = 0.5 - view.level / view.width;
      document.querySelectorAll("#window feComponentTransfer > *").forEach((channel) => {
        channel.setAttribute("slope", slope);
        channel.setAttribute("intercept", intercept);
      });
    }
    for (const image of document.querySelectorAll(".frame img")) {
      image.style.transform = view.zoom === 1 ? "" : `translate(${100 * view.x}%, ${100 * view.y}%) scale(${view.zoom})`;
      image.style.filter = plain ? "" : "url(#window)";
      image.style.imageRendering = view.zoom >= 4 ? "pixelated" : "";
    }
    const zoom = document.querySelector("output.zoom");
    if (zoom) zoom.textContent = `${Math.round(100 * view.zoom)} %`;
    document.body.dataset.tool = view.tool;
    document.body.toggleAttribute("data-chosen", view.chosen);
    for (const tool of ["window", "pan"]) {
      const button = document.querySelector(`[data-do=tool-${tool}]`);
      if (button) button.setAttribute("aria-pressed", String(view.tool === tool));
    }
  };

  const hold = () => {
    const most = (view.zoom - 1) / 2;
    view.x = Math.min(most, Math.max(-most, view.x));
    view.y = Math.min(most, Math.max(-most, view.y));
  };

  // `at` is the point that stays where it is, from the middle of the frame in frame widths and heights.
  const zoom = (factor, at = { x: 0, y: 0 }) => {
    const before = view.zoom;
    view.zoom = Math.min(LARGEST, Math.max(1, before * factor));
    const by = view.zoom / before;
    view.x = at.x - (at.x - view.x) * by;
    view.y = at.y - (at.y - view.y) * by;
    hold();
    draw();
  };

  const pan = (x, y) => {
    view.x += x;
    view.y += y;
    hold();
    draw();
  };

  const windowing = (width, level) => {
    view.width = Math.min(4, Math.max(0.02, view.width * Math.exp(width)));
    view.level = Math.min(1.5, Math.max(-0.5, view.level + level));
    draw();
  };

  const flip = (on = !view.flipped) => {
    view.flipped = on;
    for (const row of document.querySelectorAll(".levels")) {
      const original = row.querySelector("[data-severity='0'] img");
      for (const frame of row.querySelectorAll("[data-severity='1'], [data-severity='2']")) {
        const image = frame.querySelector("img");
        image.dataset.own = image.dataset.own || image.src;
        const wanted = on ? original.src : image.dataset.own;
        if (image.src !== wanted) {
          mend(frame);
          image.src = wanted;
        }
        frame.closest("figure").querySelector(".flipped").hidden = !on;
      }
    }
    const button = document.querySelector("[data-do=flip]");
    if (button) button.setAttribute("aria-pressed", String(on));
  };

  const large = () => {
    const on = document.body.classList.toggle("large");
    document.querySelector("[data-do=large]").setAttribute("aria-pressed", String(on));
    const row = document.querySelector(".degradation.active");
    if (row) row.scrollIntoView({ block: "nearest" });
  };

  const reset = () => {
    Object.assign(view, { zoom: 1, x: 0, y: 0, level: 0.5, width: 1 });
    draw();
  };

  const tool = (name) => {
    view.chosen = view.tool !== name || !view.chosen;
    view.tool = name;
    draw();
  };

  const from = (frame, event) => {
    const box = frame.getBoundingClientRect();
    return {
      x: (event.clientX - box.left) / box.width - 0.5,
      y: (event.clientY - box.top) / box.height - 0.5,
      width: box.width,
      height: box.height,
    };
  };

  // Fingers and mouse. One finger scrolls the page until a tool was chosen; two fingers zoom and pan.
  const down = new Map();
  let drag = null;

  document.addEventListener("pointerdown", (event) => {
    const frame = event.target.closest && event.target.closest(".frame");
    if (!frame || frame.classList.contains("broken")) return;
    down.set(event.pointerId, event);
    if (event.pointerType === "touch" && !view.chosen && down.size < 2) return;
    if (event.button > 1) return;
    event.preventDefault();
    if (document.activeElement && document.activeElement.matches("textarea, select")) document.activeElement.blur();
    frame.setPointerCapture(event.pointerId);
    drag = { frame, pan: view.tool === "pan" || event.button === 1 || event.shiftKey, x: event.clientX, y: event.clientY };
    document.dispatchEvent(new CustomEvent("review:row", { detail: frame.closest(".degradation") }));
  });

  document.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    down.set(event.pointerId, event);
    if (down.size === 2) {
      const [other] = [...down.values()].filter((each) => each.pointerId !== event.pointerId);
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const frame = drag ? drag.frame : event.target.closest(".frame");
      if (!frame) return;
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      const box = frame.getBoundingClientRect();
      if (apart(before) > 0) zoom(apart(event) / apart(before), from(frame, middle));
      pan((event.clientX - before.clientX) / 2 / box.width, (event.clientY - before.clientY) / 2 / box.height);
      return;
    }
    if (!drag) return;
    const box = drag.frame.getBoundingClientRect();
    const x = (event.clientX - drag.x) / box.width, y = (event.clientY - drag.y) / box.height;
    drag.x = event.clientX;
    drag.y = event.clientY;
    if (drag.pan) pan(x, y);
    else windowing(x * 1.5, y * view.width);
  });

  const up = (event) => {
    down.delete(event.pointerId);
    if (!down.size) drag = null;
  };
  document.addEventListener("pointerup", up);
  document.addEventListener("pointercancel", up);

  document.addEventListener("wheel", (event) => {
    const frame = event.target.closest && event.target.closest(".frame");
    if (!frame || frame.classList.contains("broken") || (!event.ctrlKey && event.altKey)) return;
    // Where nothing is zoomed, turning back scrolls the page as everywhere else.
    if (view.zoom === 1 && event.deltaY > 0 && !event.ctrlKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), from(frame, event));
  }, { passive: false });

  document.addEventListener("dblclick", (event) => {
    if (event.target.closest(".frame")) reset();
  });

  // An image that cannot be decoded says why, and can be deleted as a poor original.
  const mend = (frame) => {
    frame.classList.remove("broken");
    const why = frame.querySelector(".why");
    if (why) why.remove();
  };

  const broken = async (image) => {
    const frame = image.closest(".frame");
    if (!frame) return;
    let why = "This image cannot be loaded.";
    try {
      const answer = await fetch(image.src);
      if (answer.status === 422) why = await answer.text();
      else if (answer.ok) why = "This image cannot be shown.";
    } catch {
      why = "This image cannot be loaded while there is no connection.";
    }
    mend(frame);
    frame.classList.add("broken");
    const told = document.createElement("p");
    told.className = "why";
    told.textContent = `${why} If it stays so, delete with the reason “poor original”.`;
    frame.append(told);
  };

  document.addEventListener("error", (event) => {
    if (event.target.matches && event.target.matches(".frame img")) broken(event.target);
  }, true);

  const again = () => {
    for (const frame of frames().filter((each) => each.classList.contains("broken"))) {
      const image = frame.querySelector("img");
      mend(frame);
      image.src = image.src;
    }
  };
  window.addEventListener("online", again);

  // The next question's images are fetched while this one is looked at.
  const ahead = () => {
    const work = document.getElementById("work");
    const wanted = (work && work.dataset.prefetch) || "";
    wanted.split(" ").filter(Boolean).forEach((address) => { new Image().src = address; });
  };

  const start = () => {
    down.clear();
    drag = null;
    view.flipped = false;
    reset();
    const button = document.querySelector("[data-do=large]");
    if (button) button.setAttribute("aria-pressed", String(document.body.classList.contains("large")));
    for (const image of document.querySelectorAll(".frame img")) {
      if (image.complete && !image.naturalWidth) broken(image);
    }
    (window.requestIdleCallback || setTimeout)(ahead);
  };

  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("review:question", start);
  return { zoom, pan, windowing, flip, large, reset, tool, view, STEP };
})();
