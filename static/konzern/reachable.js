// What unfold, Select2 and Django's widgets leave without a name or to the mouse alone:
// names for screen readers, and Enter and Space for whoever has a keyboard only.
"use strict";
addEventListener("load", () => {
  const names = document.getElementById("page")?.dataset ?? {};
  const icon = (element) => element.querySelector(".material-symbols-outlined");
  const textOf = (element) => {
    const label = element.labels?.[0];
    return element.getAttribute("aria-label") ?? label?.textContent.trim() ?? "";
  };

  // Elements that listen to clicks, but are no buttons.
  const press = (event) => {
    if (event.target !== event.currentTarget) return;
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.target.click();
  };
  const makeButton = (element) => {
    const action = element.getAttribute("x-on:click");
    element.tabIndex = 0;
    if (!/^H[1-6]$/.test(element.tagName)) element.setAttribute("role", "button");
    if (action.includes("sidebarToggle")) element.ariaLabel = names.menu;
    else if (action.includes("openUserLinks")) element.ariaLabel = names.account;
    else if (icon(element)?.textContent.startsWith("more_")) element.ariaLabel = names.more;
    element.addEventListener("keydown", press);
  };

  // Select2 says what is chosen, not of what; its searches have no name at all.
  const nameSelect = (select) => {
    const [name, box] = [textOf(select), select.nextElementSibling];
    if (!name || !box?.classList.contains("select2")) return;
    const parts = ".select2-selection, .select2-selection__rendered, .select2-search__field";
    for (const part of box.querySelectorAll(parts)) {
      part.removeAttribute("aria-labelledby");
      part.ariaLabel = name;
    }
    const chosen = box.querySelector("[role=combobox] [role=textbox]");
    if (chosen?.title) chosen.parentElement.ariaLabel = `${name}: ${chosen.title}`;
  };

  const look = () => {
    for (const file of document.querySelectorAll("input.kz-input[type=file]")) {
      file.hasChangeListener = true; // unfold's would look for a text beside it
    }
    for (const element of document.querySelectorAll("[x-on\\:click]:not(a[href], button, input, label, [role], [tabindex])")) {
      makeButton(element);
    }
    document.querySelectorAll("select.select2-hidden-accessible").forEach(nameSelect);
    for (const hint of document.querySelectorAll(".help-tooltip[aria-label]")) hint.role = "img";
    for (const head of document.querySelectorAll("th:empty, th.lg\\:w-px")) {
      if (!head.textContent.trim()) head.setAttribute("role", "cell"); // a corner, heads nothing
    }
    for (const picture of document.querySelectorAll(".material-symbols-outlined:not([role])")) {
      const around = picture.closest("a, button, [role=button], h1, h2, h3, label");
      const named = around?.ariaLabel || around?.title;
      const text = around?.textContent.replace(picture.textContent, "").trim();
      if (named || text) picture.ariaHidden = "true";
    }
  };

  // Rows are added, hits come, windows open: soon after each, all once more.
  let soon = 0;
  const lookSoon = () => { soon ||= setTimeout(() => { soon = 0; look(); }, 20); };
  look();
  // A page is hidden until Alpine has begun, and what is hidden takes no focus.
  if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
  new MutationObserver(lookSoon).observe(document.body, { childList: true, subtree: true });
  const $ = window.django?.jQuery;
  $?.(document).on("select2:open", (event) => {
    const search = document.querySelector(".select2-container--open .select2-search__field");
    if (search) search.ariaLabel = textOf(event.target);
  });
});
