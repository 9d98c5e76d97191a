// Where the companies of a hierarchy are drawn: from the left to the right, one below
// the other, a parent in the middle of its subsidiaries. Nothing here draws anything.
"use strict";
globalThis.KonzernLayout = (() => {
  const BOX = { width: 220, height: 40 };
  const COLUMN = BOX.width + 60;
  const ROW = BOX.height + 10;

  // Nodes with `children`, `parent` node and `depth`, from rows in reading order.
  const grow = (rows) => {
    const nodes = new Map();
    for (const [id, parentId, code, name, status, effective] of rows) {
      const parent = nodes.get(parentId) ?? null;
      const depth = parent ? parent.depth + 1 : 0;
      const node = { id, parent, code, name, status, effective, depth, children: [], open: false, below: 0 };
      parent?.children.push(node);
      nodes.set(id, node);
    }
    const all = [...nodes.values()];
    for (const node of all.toReversed()) {
      if (node.parent) node.parent.below += node.below + 1;
    }
    return nodes;
  };

  // The nodes that can be seen, in reading order, each with its x and y set.
  const place = (root) => {
    const seen = [];
    let row = 0;
    const waiting = [{ node: root, back: false }];
    while (waiting.length) {
      const { node, back } = waiting.pop();
      const shown = node.open ? node.children : [];
      if (back) {
        node.y = (shown[0].y + shown.at(-1).y) / 2;
        continue;
      }
      seen.push(node);
      node.x = node.depth * COLUMN;
      if (!shown.length) {
        node.y = row++ * ROW;
        continue;
      }
      waiting.push({ node, back: true });
      for (const child of shown.toReversed()) waiting.push({ node: child, back: false });
    }
    return seen;
  };

  // Companies of other hierarchies stand left of the head company, near their partners.
  const placeBeside = (boxes, partnerOf) => {
    const sorted = boxes.toSorted((a, b) => partnerOf(a).y - partnerOf(b).y);
    let free = -Infinity;
    for (const box of sorted) {
      box.x = -COLUMN;
      box.y = Math.max(partnerOf(box).y, free);
      free = box.y + ROW;
    }
  };

  // Levels are opened while no more than `most` companies are to be seen.
  const openFirst = (root, most) => {
    let level = [root];
    let seen = 1;
    while (level.length) {
      const next = level.flatMap((node) => node.children);
      seen += next.length;
      if (!next.length || seen > most) break;
      for (const node of level) node.open = true;
      level = next;
    }
    root.open = true;
  };

  const reveal = (node) => {
    for (let above = node.parent; above; above = above.parent) above.open = true;
  };

  const bounds = (nodes) => {
    const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
    for (const { x, y } of nodes) {
      box.left = Math.min(box.left, x);
      box.top = Math.min(box.top, y);
      box.right = Math.max(box.right, x + BOX.width + 40);
      box.bottom = Math.max(box.bottom, y + BOX.height);
    }
    return box;
  };

  return { BOX, grow, place, placeBeside, openFirst, reveal, bounds };
})();
