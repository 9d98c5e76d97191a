// Draws a hierarchy: only what lies in the window, so that thousands stay smooth.
"use strict";
(() => {
  const { BOX, grow, place, placeBeside, openFirst, reveal, bounds } = KonzernLayout;
  const SVG = "http://www.w3.org/2000/svg";
  const OPEN_AT_FIRST = 60;
  const READABLE = 0.35; // below this zoom no text is drawn
  const MARGIN = 300;
  const ROOM = BOX.width - 22; // of a name in its box

  const by = (id) => document.getElementById(id);
  const settings = JSON.parse(by("chart-settings").textContent);
  const svg = by("chart");
  const say = (text) => { by("chart-note").textContent = text; };
  const said = (word, values = {}) =>
    settings.words[word].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  const view = { x: 0, y: 0, zoom: 1 }; // of the upper left corner, in the drawing
  let nodes = new Map();
  let root = null;
  let seen = [];
  let beside = new Map();
  let lines = [];
  let current = null;
  let hits = [];
  let numbers = null;

  // --- drawing

  const make = (name, attributes = {}, ...inside) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...inside);
    return element;
  };

  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = "13px ui-sans-serif, system-ui, sans-serif"; // as chart.css has it
  const short = (node) => {
    if (node.short) return node.short;
    const letters = [...node.name];
    const cut = (room) => room < letters.length ? `${letters.slice(0, room).join("")}…` : node.name;
    let room = Math.min(letters.length, 60);
    while (room > 1 && ruler.measureText(cut(room)).width > ROOM) room -= 1;
    node.short = cut(room);
    return node.short;
  };

  const countOf = (node) => {
    if (!numbers) return 0;
    let sum = 0;
    const waiting = [node];
    while (waiting.length) {
      const one = waiting.pop();
      sum += numbers[one.id] ?? 0;
      if (one !== node || !node.open) waiting.push(...one.children);
    }
    return sum;
  };

  const drawFold = (node) => {
    const label = node.open ? "−" : String(node.below);
    const width = Math.max(10, 4 + 4 * label.length);
    const at = { cx: BOX.width + width + 4, cy: BOX.height / 2 };
    const button = make(
      "g",
      { class: "kz-fold", "data-fold": node.id, "aria-hidden": "true" },
      make("circle", { ...at, r: width }),
      make("text", { x: at.cx, y: at.cy + 4 }, label),
    );
    button.prepend(make("title", {}, said("below", { n: node.below })));
    return button;
  };

  const drawCount = (node) => {
    const count = String(countOf(node));
    const width = 12 + 7 * count.length;
    const x = BOX.width - width / 2;
    return [
      make("rect", { class: "kz-count", x: x - width / 2, y: -8, width, height: 16, rx: 8 }),
      make("text", { class: "kz-count-text", x, y: 4 }, count),
    ];
  };

  const classOf = (node, outside) =>
    [
      "kz-node",
      outside && "kz-outside",
      node.id === settings.shown && "kz-shown",
      node === current && "kz-current",
      hits.includes(node) && "kz-hit",
    ].filter(Boolean).join(" ");

  const draw = (node, readable, outside = false) => {
    const status = settings.statuses[node.status];
    const effective = settings.statuses[node.effective];
    const words = [node.name, node.code, status];
    if (node.status !== node.effective) words.push(said("effective", { status: effective }));
    if (node.below) words.push(said("below", { n: node.below }));
    const item = make("g", {
      id: `company-${node.id}`,
      class: classOf(node, outside),
      role: "treeitem",
      transform: `translate(${node.x} ${node.y})`,
      "aria-label": words.join(", "),
      "aria-level": node.depth + 1,
      "aria-selected": node === current,
    });
    if (node.children.length) item.setAttribute("aria-expanded", node.open);
    const link = make("a", { href: pageOf(node), tabindex: -1, "aria-hidden": "true" });
    link.append(
      make("title", {}, words.join(" · ")),
      make("rect", { class: "kz-box", width: BOX.width, height: BOX.height, rx: 6 }),
      make("rect", { class: `kz-band kz-band-${node.effective}`, x: 1, y: 1, width: 6, height: BOX.height - 2, rx: 3 }),
    );
    if (readable) {
      link.append(
        make("text", { class: "kz-name", x: 15, y: 17 }, short(node)),
        make("text", { class: "kz-code-text", x: 15, y: 32 }, `${node.code} · ${effective}`),
      );
    }
    item.append(link);
    if (readable && node.children.length) item.append(drawFold(node));
    if (readable && countOf(node)) item.append(...drawCount(node));
    return item;
  };

  const edgeTo = ({ parent, x, y }) => {
    const from = { x: parent.x + BOX.width, y: parent.y + BOX.height / 2 };
    const to = { x, y: y + BOX.height / 2 };
    const middle = (from.x + to.x) / 2 + 12;
    return `M${from.x} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`;
  };

  // A company that is folded away is stood for by the nearest one above that is seen.
  const standing = (id) => {
    if (beside.has(id)) return beside.get(id);
    let node = nodes.get(id);
    for (let above = node?.parent; above; above = above.parent) {
      if (!above.open) node = above;
    }
    return node;
  };

  const drawLine = ([company, other, kind, percent], readable) => {
    const [from, to] = [standing(company), standing(other)];
    if (!from || !to || from === to) return [];
    const start = { x: from.x, y: from.y + BOX.height / 2 };
    const end = { x: to.x, y: to.y + BOX.height / 2 };
    if (beside.has(company)) start.x += BOX.width;
    if (beside.has(other)) end.x += BOX.width;
    const bend = Math.min(start.x, end.x) - 50;
    const isBeside = beside.has(company) || beside.has(other);
    const [one, two] = isBeside ? [(start.x + end.x) / 2, (start.x + end.x) / 2] : [bend, bend];
    const d = `M${start.x} ${start.y} C${one} ${start.y} ${two} ${end.y} ${end.x} ${end.y}`;
    const drawn = [make("path", { class: "kz-line", d })];
    if (readable) {
      const x = (start.x + end.x + 3 * (one + two)) / 8;
      const text = percent ? `${kind} ${percent}` : kind;
      drawn.push(make("text", { class: "kz-line-text", x, y: (start.y + end.y) / 2 - 4 }, text));
    }
    return drawn;
  };

  const showsLines = () => by("chart-lines")?.checked ?? false;

  const isIn = (window) => ({ x, y }) =>
    x < window.right && x + BOX.width > window.left && y < window.bottom && y + BOX.height > window.top;

  // `window` is the part of the drawing that is to be filled.
  const drawing = (window) => {
    const edges = seen
      .filter(({ parent, x, y }) => parent && parent.x < window.right && x > window.left &&
        Math.min(y, parent.y) < window.bottom && Math.max(y, parent.y) + BOX.height > window.top)
      .map((node) => make("path", { class: "kz-edge", d: edgeTo(node) }));
    const boxes = seen.filter((node) => isIn(window)(node) || node === current).map((node) => draw(node, true));
    const others = showsLines() ? [...beside.values()].map((node) => draw(node, true, true)) : [];
    const between = showsLines() ? lines.flatMap((line) => drawLine(line, true)) : [];
    return [make("g", { "aria-hidden": "true" }, ...edges, ...between), ...boxes, ...others];
  };

  // From far, where nothing can be read: a handful of paths for all companies.
  const drawingFromFar = () => {
    const box = ({ x, y }) => `M${x} ${y}h${BOX.width}v${BOX.height}h-${BOX.width}z`;
    const path = (name, nodes) => make("path", { class: name, d: nodes.map(box).join("") });
    const all = drawn();
    const edges = make("path", { class: "kz-edge", d: seen.filter(({ parent }) => parent).map(edgeTo).join("") });
    const boxes = Object.keys(settings.statuses).map((status) =>
      path(`kz-band kz-band-${status}`, all.filter(({ effective }) => effective === status)));
    const found = make("g", { class: "kz-hit" }, path("kz-box", hits));
    const between = showsLines() ? lines.flatMap((line) => drawLine(line, false)) : [];
    return [make("g", { "aria-hidden": "true" }, edges, ...boxes, ...between, found), draw(current, false)];
  };

  let filled = null; // the part of the drawing that is there; null: it has to be made anew
  let isAsked = false;
  const ask = () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      fill();
    });
  };
  const show = () => {
    filled = null;
    ask();
  };

  const fill = () => {
    const { width, height } = svg.getBoundingClientRect();
    const size = { width: width / view.zoom, height: height / view.zoom };
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${size.width} ${size.height}`);
    const isFar = view.zoom < READABLE;
    const [right, bottom] = [view.x + size.width, view.y + size.height];
    const isThere = filled?.isFar === isFar &&
      (isFar || (filled.left <= view.x && filled.top <= view.y && filled.right >= right && filled.bottom >= bottom));
    if (isThere) return;
    filled = { isFar, left: view.x - MARGIN, top: view.y - MARGIN, right: right + MARGIN, bottom: bottom + MARGIN };
    svg.replaceChildren(...(isFar ? drawingFromFar() : drawing(filled)));
    svg.setAttribute("aria-activedescendant", `company-${current.id}`);
  };

  const arrange = () => {
    seen = place(root);
    const partner = (box) => {
      const line = lines.find(([company, other]) => company === box.id || other === box.id);
      return standing(line[0] === box.id ? line[1] : line[0]) ?? root;
    };
    placeBeside([...beside.values()], partner);
    show();
  };

  // --- looking around

  const drawn = () => (showsLines() ? [...seen, ...beside.values()] : seen);

  const fit = () => {
    const box = bounds(drawn());
    const { width, height } = svg.getBoundingClientRect();
    view.zoom = Math.min(1.2, width / (box.right - box.left + 40), height / (box.bottom - box.top + 40));
    view.x = box.left - (width / view.zoom - (box.right - box.left)) / 2;
    view.y = box.top - (height / view.zoom - (box.bottom - box.top)) / 2;
    ask();
  };

  const zoom = (factor, at) => {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const point = at ? { x: at.clientX - left, y: at.clientY - top } : { x: width / 2, y: height / 2 };
    const next = Math.min(3, Math.max(0.02, view.zoom * factor));
    view.x += point.x / view.zoom - point.x / next;
    view.y += point.y / view.zoom - point.y / next;
    view.zoom = next;
    ask();
  };

  const centre = (node) => {
    const { width, height } = svg.getBoundingClientRect();
    view.zoom = Math.max(view.zoom, 0.8);
    view.x = node.x + BOX.width / 2 - width / 2 / view.zoom;
    view.y = node.y + BOX.height / 2 - height / 2 / view.zoom;
    ask();
  };

  const isInWindow = ({ x, y }) => {
    const { width, height } = svg.getBoundingClientRect();
    return x > view.x && y > view.y && x + BOX.width < view.x + width / view.zoom && y + BOX.height < view.y + height / view.zoom;
  };

  const go = (node) => {
    if (!node) return;
    current = node;
    if (view.zoom < READABLE || !isInWindow(node)) centre(node);
    show();
  };

  const fold = (node, open) => {
    if (!node.children.length) return;
    // What is folded stays where it is on the screen.
    const before = node.y;
    node.open = open;
    arrange();
    view.y += node.y - before;
  };

  // --- finding

  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  const find = () => {
    const wanted = plain(by("chart-find").value.trim());
    hits = wanted
      ? [...nodes.values()].filter(({ name, code }) => plain(`${name} ${code}`).includes(wanted))
      : [];
    by("chart-found").textContent =
      !wanted ? "" : hits.length ? said("found", { n: hits.length }) : said("none");
    hits.slice(0, 200).forEach(reveal);
    arrange();
    if (hits.length) go(hits[0]);
  };

  const findNext = () => {
    if (!hits.length) return;
    const next = hits[(hits.indexOf(current) + 1) % hits.length];
    reveal(next);
    arrange();
    go(next);
  };

  // --- out of the page

  const whole = () => {
    const box = bounds(drawn());
    const size = [box.right - box.left + 20, box.bottom - box.top + 20];
    return { box, viewBox: [box.left - 10, box.top - 10, ...size].join(" "), size };
  };

  const saved = () => {
    const { box, viewBox, size } = whole();
    const picture = make("svg", { xmlns: SVG, viewBox, width: size[0], height: size[1], class: "kz-chart" });
    const colours = getComputedStyle(document.querySelector(".kz-chart-page"));
    const sheet = [...document.styleSheets].find(({ href }) => href?.includes("/chart"));
    const rules = [...sheet.cssRules]
      .map(({ cssText }) => cssText)
      .filter((text) => /^\.kz-chart (text|\.)/.test(text))
      .join("\n")
      .replace(/var\((--kz-[\w-]+)\)/g, (_, name) => colours.getPropertyValue(name));
    picture.append(make("style", {}, rules), ...drawing(box));
    for (const link of picture.querySelectorAll("a")) {
      link.setAttribute("href", new URL(link.getAttribute("href"), location.href));
    }
    return new XMLSerializer().serializeToString(picture);
  };

  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([saved()], { type: "image/svg+xml" }));
    link.download = `${root.code}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  addEventListener("beforeprint", () => {
    if (!root) return;
    const { box, viewBox } = whole();
    svg.setAttribute("viewBox", viewBox);
    svg.replaceChildren(...drawing(box));
  });
  addEventListener("afterprint", show);

  // --- what people do

  const pageOf = ({ id }) => settings.page.replace("/0/", `/${id}/`);

  const nodeAt = ({ clientX, clientY }) => {
    const { left, top } = svg.getBoundingClientRect();
    const [x, y] = [view.x + (clientX - left) / view.zoom, view.y + (clientY - top) / view.zoom];
    return seen.find(isIn({ left: x, right: x, top: y, bottom: y }));
  };

  const nextTo = (node, step) => seen[seen.indexOf(node) + step];

  const keys = {
    ArrowDown: () => go(nextTo(current, 1)),
    ArrowUp: () => go(nextTo(current, -1)),
    ArrowRight: () => (current.open ? go(current.children[0]) : fold(current, true)),
    ArrowLeft: () => (current.open && current.children.length ? fold(current, false) : go(current.parent)),
    Home: () => go(root),
    End: () => go(seen.at(-1)),
    Enter: () => location.assign(pageOf(current)),
    "+": () => zoom(1.25),
    "-": () => zoom(0.8),
    0: fit,
  };

  svg.addEventListener("keydown", (event) => {
    if (!root || !(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    keys[event.key]();
    event.preventDefault();
  });

    svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 500), event);
  }, { passive: false });

  const fingers = new Map();
  let isDragged = false;
  svg.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    isDragged = false;
  });
  addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const others = [...fingers.values()].filter(({ pointerId }) => pointerId !== event.pointerId);
    if (others.length) {
      const apart = ({ clientX, clientY }) => Math.hypot(clientX - others[0].clientX, clientY - others[0].clientY);
      zoom(apart(event) / apart(before), event);
    } else {
      const moved = [event.clientX - before.clientX, event.clientY - before.clientY];
      if (!isDragged && Math.hypot(...moved) < 4) return;
      view.x -= moved[0] / view.zoom;
      view.y -= moved[1] / view.zoom;
      ask();
    }
    isDragged = true;
    svg.classList.add("kz-dragged");
    fingers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      svg.classList.remove("kz-dragged");
    });
  }

  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("click", (event) => {
    if (isDragged) {
      event.preventDefault(); // the end of a drag is no click on a link
      return;
    }
    if (filled?.isFar) {
      const node = nodeAt(event);
      if (node) go(node); // to where it can be read
      return;
    }
    const button = event.target.closest(".kz-fold");
    const node = button && nodes.get(Number(button.dataset.fold));
    if (!node) return;
    current = node;
    fold(node, !node.open);
  });

  by("chart-find").addEventListener("input", find);
  by("chart-find").addEventListener("keydown", (event) => {
    if (event.key === "Enter") findNext();
  });
  by("chart-numbers")?.addEventListener("change", async ({ target }) => {
    numbers = target.value ? (await load(target.value)).numbers : null;
    show();
  });
  by("chart-lines")?.addEventListener("change", arrange);
  by("chart-in").addEventListener("click", () => zoom(1.25));
  by("chart-out").addEventListener("click", () => zoom(0.8));
  by("chart-fit").addEventListener("click", fit);
  const foldAll = (open) => {
    for (const node of nodes.values()) node.open = open;
    root.open = true;
    current = root;
    arrange();
    fit();
  };
  by("chart-unfold").addEventListener("click", () => foldAll(true));
  by("chart-fold").addEventListener("click", () => foldAll(false));
  by("chart-svg").addEventListener("click", save);
  by("chart-print").addEventListener("click", () => print());
  addEventListener("resize", () => root && show());

  // --- what is drawn

  const load = async (url) => {
    try {
      const answer = await fetch(url, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) throw new Error(answer.status);
      return await answer.json();
    } catch (error) {
      say(said("gone"));
      throw error;
    }
  };

  const start = async () => {
    const told = await load(settings.companies);
    nodes = grow(told.companies);
    root = nodes.values().next().value ?? null;
    if (!root) {
      say(said("then"));
      return;
    }
    if (told.most) say(said("more", { n: told.most }));
    beside = grow(told.beside);
    lines = told.lines;
    openFirst(root, OPEN_AT_FIRST);
    current = nodes.get(settings.shown) ?? root;
    reveal(current);
    arrange();
    fit();
    if (current !== root || view.zoom < READABLE) centre(current);
    svg.dataset.ready = "true";
  };
  start();
})();
