// What makes the pages livelier. Without it everything can still be read and decided: it fetches a
// part of a page again when something has happened, and takes keys. It decides nothing by itself:
// a key leads to a field or a button, and the person presses it.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // --- live -----------------------------------------------------------------------------------
  let source = null;
  const tick = () => window.htmx?.trigger(document.body, "placet:changed");
  const listen = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source && $("[hx-trigger*='placet:changed']")) {
      source = new EventSource("/console/live");
      // what happened while nobody listened
      source.onopen = tick;
      source.onmessage = tick;
    }
  };
  // what has not changed is not put in again, what somebody writes is left alone, and whoever stands on a
  // button that has a key stands on it again
  let held = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr, serverResponse } = event.detail;
    if (xhr.status >= 400 || !target) return;
    const writing = target.contains(document.activeElement) &&
      document.activeElement.matches("input:not([type=checkbox]):not([type=hidden]), textarea, select");
    const dirty = $("[data-dirty], input[type=checkbox][name=item]:checked", target);
    const same = target.dataset.seen === serverResponse;
    if (same || writing || dirty) event.detail.shouldSwap = false;
    held = target.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const { target, xhr } = event.detail;
    const now = document.getElementById(target.id);
    if (now) now.dataset.seen = xhr.responseText;
    if (held) $(`[data-key="${CSS.escape(held)}"]`, now ?? document)?.focus();
    ready(now ?? document);
  });
  document.addEventListener("input", (event) => {
    event.target.form?.closest("[data-keep]")?.setAttribute("data-dirty", "");
  });

  // --- forms ----------------------------------------------------------------------------------
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (form?.matches("[data-auto]")) form.requestSubmit();
    if (event.target.matches("[data-all]")) {
      const box = event.target;
      all("input[name=item]", box.form).forEach((item) => (item.checked = box.checked));
    }
    if (form?.matches(".filters") && event.target.matches("select")) form.requestSubmit();
  });
  // one press, one request
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog" || form.method === "get") return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
  });
  // what was signed with a passkey is said by its script; the page then shows what became of it
  document.addEventListener("placet:voted", (event) => {
    const next = event.detail.successor;
    location.assign(next ? `/inbox/${next}` : location.pathname);
  });
  document.addEventListener("placet:enrolled", tick);
  // a verification reads every event: how far it has come, while it goes
  let watching = null;
  const look = async () => {
    const bar = $(".verify.htmx-request progress");
    const answer = bar && (await fetch("/api/v1/audit/verify", { headers: { Accept: "application/json" } }));
    const one = answer?.ok && (await answer.json()).running.at(-1);
    if (!one) return;
    [bar.max, bar.value] = [one.of, one.read];
    $(".far", bar.parentElement).textContent = ` ${one.read} of ${one.of}`;
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches(".verify")) watching ??= setInterval(() => look().catch(() => {}), 250);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.matches(".verify")) watching = clearInterval(watching) ?? null;
  });
  window.addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => delete form.dataset.sent));

  // --- keys -----------------------------------------------------------------------------------
  const lines = () => all("[data-list] a.main");
  const step = (by) => {
    const links = lines();
    if (links.length === 0) return;
    const at = links.findIndex((link) => link.parentElement.contains(document.activeElement));
    const next = Math.min(Math.max(at + by, 0), links.length - 1);
    links[next].focus();
  };
  let after = "";
  const press = (key) => {
    if (after === "g") {
      after = "";
      const link = $(`[data-go="${CSS.escape(key)}"]`);
      if (link) link.click();
      return Boolean(link);
    }
    const target = $(`[data-key="${CSS.escape(key)}"]`);
    if (target) {
      const fold = target.closest("details");
      if (fold) fold.open = true;
      if (target.matches("a")) target.click();
      else target.focus();
      return true;
    }
    switch (key) {
      case "g": after = "g"; return true;
      case "j": step(1); return true;
      case "k": step(-1); return true;
      case "x": {
        const box = document.activeElement?.closest("li, tr")?.querySelector("input[type=checkbox]");
        if (box) box.checked = !box.checked;
        return Boolean(box);
      }
      case "/": $("[data-find]")?.focus(); return true;
      case "?": $("#keys")?.showModal(); return true;
      default: return false;
    }
  };
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (key === "Escape" && target.matches("input, textarea, select")) return target.blur();
    if (target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
    if ($("dialog[open]")) return;
    if (press(key)) event.preventDefault();
    else if (key !== "Shift") after = "";
  });

  // --- when a page, or a part of it, has come ---------------------------------------------------
  const ready = (root) => {
    all("[data-auto] button[type=submit]", root).forEach((button) => (button.hidden = true));
    all("[data-help]", root).forEach((button) => {
      button.hidden = false;
      button.onclick = () => $("#keys").showModal();
    });
  };
  document.addEventListener("visibilitychange", listen);
  ready(document);
  // not before htmx knows the parts that are fetched again: a script that comes later than the first tick would lose it
  document.addEventListener("DOMContentLoaded", listen);
})();
