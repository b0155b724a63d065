// Clicks reach the server, or the page says so and tries again. Each click has a name of its own, kept when it is sent
// again; the server stores it once.
"use strict";

(() => {
  const RETRY = 2000, SEEN = 30000, IDLE = 60000;
  const banner = () => document.getElementById("connection");
  const unsent = new Set();  // forms whose last click has to be sent again
  const clicks = new WeakMap();  // names of a form's clicks that the server has not answered
  let waiting = null;

  const newClick = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  const tell = (text) => {
    const place = banner();
    place.textContent = text;
    place.hidden = !text;
  };

  const alive = () => {
    const work = document.getElementById("work");
    const question = work && work.dataset.question;
    return fetch(document.body.dataset.alive + (question ? `?question=${question}` : ""), { cache: "no-store" });
  };

  const tryAgain = () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      try {
        const answer = await alive();
        if (!answer.ok && answer.status !== 401) throw new Error(answer.status);
      } catch {
        tryAgain();
        return;
      }
      waiting = null;
      const forms = [...unsent];
      unsent.clear();
      tell("");
      // In the order in which they were clicked; one that fails again comes back to `unsent`.
      forms.filter((form) => form.isConnected).forEach((form) => htmx.trigger(form, "retry"));
    }, RETRY);
  };

  const lost = (event) => {
    const element = event.detail.elt;
    if (element.matches("form")) unsent.add(element);
    const told = unsent.size === 1 ? "Your last click is not saved yet." : `${unsent.size} clicks are not saved yet.`;
    tell(`Offline: the server cannot be reached. ${unsent.size ? told : ""} Trying again …`);
    tryAgain();
  };

  document.addEventListener("htmx:configRequest", (event) => {
    const form = event.detail.elt;
    if (!form.matches("form")) return;
    const retry = event.detail.triggeringEvent && event.detail.triggeringEvent.type === "retry";
    const sent = clicks.get(form) || [];
    if (!retry || !sent.length) sent.push(newClick());
    clicks.set(form, sent);
    event.detail.parameters.set("click", sent.at(-1));
    const known = form.querySelector("[name=known]");
    if (known) event.detail.parameters.set("known", [known.value, ...sent].join(" "));
    const seconds = form.querySelector("[name=seconds]");
    if (seconds) event.detail.parameters.set("seconds", String(Math.round(active / 1000)));
    const saved = form.querySelector(".saved span");
    if (saved) saved.textContent = "Saving …";
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt;
    if (!form.matches || !form.matches("form") || !event.detail.xhr.status) return;
    if (event.detail.successful) clicks.delete(form);
  });

  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);

  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if ([502, 503, 504].includes(status)) {
      lost(event);
    } else {
      const why = event.detail.xhr.responseText.slice(0, 300);
      tell(`Your last click was not saved. ${why} Reload the page to go on.`);
    }
  });

  window.addEventListener("offline", () => {
    tell("Offline: there is no connection. Trying again …");
    tryAgain();
  });

  window.addEventListener("beforeunload", (event) => {
    if (unsent.size) event.preventDefault();
  });

  // Time that somebody works on a question: while the page is seen, and not longer than a minute after the last move.
  let active = 0, last = performance.now(), moved = last;
  const count = () => {
    const now = performance.now();
    if (document.visibilityState === "visible" && now - moved < IDLE) active += now - last;
    last = now;
  };
  setInterval(count, 500);
  ["pointermove", "pointerdown", "keydown", "wheel", "scroll"].forEach((name) => {
    document.addEventListener(name, () => { count(); moved = performance.now(); }, { passive: true });
  });
  document.addEventListener("review:question", () => {
    active = 0;
    last = moved = performance.now();
  });

  setInterval(() => {
    if (document.visibilityState === "visible" && document.getElementById("work") && !waiting) {
      alive().catch(() => { tell("Offline: the server cannot be reached. Trying again …"); tryAgain(); });
    }
  }, SEEN);
})();
