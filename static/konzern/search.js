// The search over everything: "/" or Ctrl+K reach it, arrows and Enter choose a hit.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const WAIT = 150; // milliseconds after a key
  const SHORTEST = 2; // characters

  const box = document.getElementById("kz-search");
  if (!box) {
    return;
  }
  const hits = document.getElementById("kz-search-hits");
  const said = document.getElementById("kz-search-said");
  let timer = 0;
  let asked = null;
  let shownFor = "";
  let chosen = -1;

  const options = () => [...hits.querySelectorAll("[role=option]")];

  const close = () => {
    hits.hidden = true;
    box.setAttribute("aria-expanded", "false");
    choose(-1);
  };

  const choose = (index) => {
    const all = options();
    chosen = all.length ? index : -1;
    all.forEach((option, number) =>
      option.setAttribute("aria-selected", String(number === chosen)),
    );
    if (chosen < 0) {
      box.removeAttribute("aria-activedescendant");
      return;
    }
    box.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  };

  const say = (number) => {
    const { none, one, many } = said.dataset;
    const words = [none, one][number] || many.replace("{number}", number);
    said.textContent = words;
  };

  const open = () => {
    hits.hidden = false;
    box.setAttribute("aria-expanded", "true");
  };

  const ask = async () => {
    asked?.abort();
    const query = box.value.trim();
    if (query.length < SHORTEST) {
      shownFor = "";
      close();
      return;
    }
    asked = new AbortController();
    const { signal } = asked;
    const url = `${box.form.action}?box=1&q=${encodeURIComponent(query)}`;
    try {
      const answer = await fetch(url, { credentials: "same-origin", signal });
      if (!answer.ok || answer.redirected) {
        throw new Error(`${answer.status} ${url}`);
      }
      const html = await answer.text();
      if (signal.aborted) {
        return;
      }
      hits.innerHTML = html; // of our own server, names escaped
      shownFor = query;
      say(hits.querySelectorAll(".kz-hit:not(.kz-hit-all)").length);
      choose(-1);
      if (document.activeElement === box) {
        open();
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        close();
        said.textContent = said.dataset.failed;
      }
    }
  };

  const askSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  };

  const move = (step) => {
    if (hits.hidden) {
      if (shownFor && shownFor === box.value.trim()) {
        open();
      } else {
        askSoon();
      }
      return;
    }
    const most = options().length;
    // From the box to the first or the last hit, and past these to the box again.
    choose(((chosen + 1 + step + most + 1) % (most + 1)) - 1);
  };

  box.addEventListener("input", askSoon);
  box.addEventListener("focus", () => {
    if (shownFor && shownFor === box.value.trim()) {
      open();
    }
  });
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) {
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && chosen >= 0 && !hits.hidden) {
      event.preventDefault();
      const link = options()[chosen].href;
      if (event.ctrlKey || event.metaKey) {
        window.open(link, "_blank", "noopener");
      } else {
        window.location.assign(link);
      }
    } else if (event.key === "Escape") {
      event.preventDefault(); // the first closes the hits, the next leaves the box
      if (hits.hidden) {
        box.blur();
      } else {
        close();
      }
    }
  });
  // Without this the box loses the focus, and the hits close before the click arrives.
  hits.addEventListener("mousedown", (event) => event.preventDefault());
  box.form.addEventListener("focusout", (event) => {
    if (!box.form.contains(event.relatedTarget)) {
      close();
    }
  });

  const isTyping = (element) =>
    element instanceof HTMLElement &&
    (element.isContentEditable || element.matches("input, textarea, select"));

  document.addEventListener("keydown", (event) => {
    const isShortcut = (event.ctrlKey || event.metaKey) && event.key === "k";
    // On lists "/" stays with the search of the list.
    const isSlash =
      event.key === "/" &&
      !event.ctrlKey &&
      !event.metaKey &&
      !event.altKey &&
      !isTyping(event.target) &&
      !document.getElementById("searchbar");
    if (!isShortcut && !isSlash) {
      return;
    }
    event.preventDefault();
    if (box.offsetParent === null) {
      window.location.assign(box.form.action); // no room for it: it has a page
      return;
    }
    box.focus();
    box.select();
  });

  if (box.form.classList.contains("kz-search-page") && !box.value) {
    box.focus();
  }
});
