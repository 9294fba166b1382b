// A kind of change has a shape of its own, beside its symbol and its colour.

const OUTLINES = {
  same: (w, h) => rounded(w, h, 7),
  weights: (w, h) => rounded(w, h, 7),
  added: (w, h) => rounded(w, h, h / 2),
  removed: (w, h) => rounded(w, h, 0),
  replaced: (w, h) => `M12 0H${w - 12}L${w} ${h / 2}L${w - 12} ${h}H12L0 ${h / 2}Z`,
  moved: (w, h) => `M10 0H${w}L${w - 10} ${h}H0Z`,
  changed: (w, h) => `M0 0H${w - 13}L${w} 13V${h}H0Z`,
};

function rounded(w, h, r) {
  const corner = (x, y) => `a${r} ${r} 0 0 1 ${x} ${y}`;
  return `M${r} 0H${w - r}${corner(r, r)}V${h - r}${corner(-r, r)}H${r}${corner(-r, -r)}V${r}`
    + `${corner(r, -r)}Z`;
}

function nodeDrawn(node, { x, y, width, height }) {
  const group = drawn("g", {
    class: `node ${node.look}${node.run ? " run" : ""}`,
    transform: `translate(${x - width / 2} ${y - height / 2})`,
    role: "button",
    tabindex: "0",
    "data-key": node.key,
    "aria-label": [node.name, node.what, node.layer ? node.layer.kinds : "expand"].join(", "),
  });
  group.append(drawn("title", {}, node.run ? `${node.name}: expand` : node.name));
  const outline = OUTLINES[node.look](width, height);
  if (node.run) group.append(drawn("path", { class: "behind", d: outline, transform: "translate(4 4)" }));
  group.append(drawn("path", { class: "outline", d: outline }));
  if (node.look === "weights") group.append(drawn("path", { class: "bar", d: `M5 7V${height - 7}` }));
  const at = node.symbol ? NODE.symbol : NODE.padding;
  if (node.symbol) group.append(drawn("text", { class: "symbol", x: 19, y: 27 }, [...node.symbol][0]));
  group.append(
    drawn("text", { class: "name", x: at, y: 18 }, cut(node.name)),
    drawn("text", { class: "what", x: at, y: 35 }, cut(node.what)),
  );
  return group;
}

function edgeDrawn({ sides }, points) {
  const last = points.length - 1;
  let d = `M${points[0].x} ${points[0].y}`;
  for (let at = 1; at < last; at += 1) {
    const [here, next] = [points[at], points[at + 1]];
    const end = at + 1 === last ? next : { x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 };
    d += `Q${here.x} ${here.y} ${end.x} ${end.y}`;
  }
  if (last === 1) d += `L${points[1].x} ${points[1].y}`;
  return drawn("g", { class: `edge ${sides}` },
    drawn("path", { class: "line", d }), head(points[last - 1], points[last]));
}

function head(from, to) {
  const angle = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
  const transform = `translate(${to.x} ${to.y}) rotate(${angle})`;
  return drawn("path", { class: "head", d: "M0 0L-8 4V-4Z", transform });
}
