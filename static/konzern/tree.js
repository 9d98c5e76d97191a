// Opens and closes branches of the tree of companies. Each branch is fetched when it is
// first opened; which ones are open is remembered for the browser tab.
"use strict";
(() => {
  const KEY = "konzern.open";
  const MOST_REMEMBERED = 50;

  const remembered = () => JSON.parse(sessionStorage.getItem(KEY) || "[]");
  const remember = (company, open) => {
    const others = remembered().filter((id) => id !== company);
    const ids = open ? [...others, company].slice(-MOST_REMEMBERED) : others;
    sessionStorage.setItem(KEY, JSON.stringify(ids));
  };

  const bodyOf = (element) => element.closest("tbody");
  const depthOf = (body) => Number(body.dataset.depth || 0);

  // The rows below a row: all that follow it and lie deeper.
  const branchOf = (body) => {
    const rows = [];
    for (let next = body.nextElementSibling; next; next = next.nextElementSibling) {
      if (depthOf(next) <= depthOf(body)) break;
      rows.push(next);
    }
    return rows;
  };

  const fetchRows = async (url, depth) => {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status} ${url}`);
    const table = document.createElement("table");
    table.innerHTML = await answer.text();
    const rows = [...table.tBodies];
    for (const row of rows) {
      row.dataset.depth = depth;
      row.style.setProperty("--kz-depth", depth);
    }
    return rows;
  };

  const open = async (button) => {
    if (button.getAttribute("aria-expanded") === "true" || button.ariaBusy === "true") return;
    const body = bodyOf(button);
    button.ariaBusy = "true";
    try {
      body.after(...(await fetchRows(button.dataset.url, depthOf(body) + 1)));
      button.setAttribute("aria-expanded", "true");
      remember(button.dataset.company, true);
    } catch {
      // Logged out, or the company is gone: the page says it. Not to be opened again by
      // itself, or the page would reload for ever.
      remember(button.dataset.company, false);
      window.location.reload();
    } finally {
      button.ariaBusy = "false";
    }
  };

  const close = (button) => {
    for (const row of branchOf(bodyOf(button))) row.remove();
    button.setAttribute("aria-expanded", "false");
    remember(button.dataset.company, false);
  };

  const showMore = async (button) => {
    const body = bodyOf(button);
    const parent = [...document.querySelectorAll("tbody")]
      .slice(0, [...document.querySelectorAll("tbody")].indexOf(body))
      .reverse()
      .find((row) => depthOf(row) < depthOf(body));
    const url = parent.querySelector(".kz-expander").dataset.url + button.dataset.url;
    const rows = await fetchRows(url, depthOf(body));
    body.replaceWith(...rows);
    rows[0]?.querySelector("a, button")?.focus();
  };

  const openRemembered = async () => {
    // From the top down: what is opened may show further ones that were open.
    const wanted = new Set(remembered());
    for (let found = true; found; ) {
      found = false;
      for (const button of document.querySelectorAll(".kz-expander[aria-expanded=false]")) {
        if (!wanted.delete(button.dataset.company)) continue;
        await open(button);
        found = true;
      }
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".kz-expander");
    if (button) {
      if (button.getAttribute("aria-expanded") === "true") close(button);
      else open(button);
      return;
    }
    const more = event.target.closest(".kz-more button");
    if (more) showMore(more);
  });

  document.addEventListener("keydown", (event) => {
    const button = event.target.closest?.(".kz-expander");
    if (!button) return;
    const isOpen = button.getAttribute("aria-expanded") === "true";
    if (event.key === "ArrowRight" && !isOpen) open(button);
    else if (event.key === "ArrowLeft" && isOpen) close(button);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const all = [...document.querySelectorAll(".kz-expander")];
      const step = event.key === "ArrowDown" ? 1 : -1;
      all[all.indexOf(button) + step]?.focus();
    } else return;
    event.preventDefault();
  });

  document.addEventListener("DOMContentLoaded", openRemembered);
})();
