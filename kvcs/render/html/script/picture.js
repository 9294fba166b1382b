// The graph of one model, in a box that scrolls.

class Picture {
  constructor(model, box) {
    this.model = model;
    this.open = new Set();
    this.scale = 0;
    this.frame = element("div", { class: "frame", tabindex: "0", role: "region",
      "aria-label": "Graph" });
    box.prepend(this.tools(), this.frame);
    box.hidden = false;
    this.frame.addEventListener("click", (event) => this.activate(event));
    this.frame.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") this.activate(event);
    });
  }

  tools() {
    const found = element("p", { class: "tools" });
    const { runs } = this.model.data;
    if (runs.length) {
      found.append(
        button("Expand all", "Draw every layer", () => this.fold(runs.map((_, at) => at))),
        button("Fold", "Draw runs of layers as one", () => this.fold([])),
      );
    }
    found.append(
      button("−", "Smaller", () => this.zoom(this.scale / 1.25)),
      button("+", "Larger", () => this.zoom(this.scale * 1.25)),
      button("Fit", "As wide as the page", () => this.zoom(this.fitting(0))),
    );
    return found;
  }

  draw() {
    if (this.shown) return;
    this.shown = visible(this.model.data, this.open);
    this.graph = laidOut(this.shown);
    const edges = drawn("g", { class: "edges" });
    for (const edge of this.shown.edges) {
      edges.append(edgeDrawn(edge, this.graph.edge(edge.source, edge.target).points));
    }
    const nodes = drawn("g", { class: "nodes" });
    this.groups = new Map();
    for (const node of this.shown.nodes.values()) {
      const group = nodeDrawn(node, this.graph.node(node.key));
      this.groups.set(node.key, group);
      nodes.append(group);
    }
    const { width, height } = this.graph.graph();
    this.svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "group" }, edges, nodes);
    this.frame.replaceChildren(this.svg);
    this.zoom(this.scale || this.fitting(0.6));
    this.mark();
    performance.mark("graph drawn"); // for whoever measures; see benchmarks/reports.py
  }

  fold(open) {
    this.open = new Set(open);
    this.shown = null;
    this.draw();
  }

  fitting(least) {
    return Math.max(least, Math.min(1, (this.frame.clientWidth - 4) / this.graph.graph().width));
  }

  zoom(scale) {
    this.scale = Math.min(3, Math.max(0.05, scale));
    const { width, height } = this.graph.graph();
    this.svg.setAttribute("width", Math.round(width * this.scale));
    this.svg.setAttribute("height", Math.round(height * this.scale));
  }

  activate(event) {
    const group = event.target.closest("[data-key]");
    if (!group) return;
    event.preventDefault();
    const node = this.shown.nodes.get(group.dataset.key);
    if (node.layer) {
      this.model.page.choose(this.model, node.layer.number);
      return;
    }
    this.fold([...this.open, node.at]);
    this.reveal(node.run.members[0]);
    this.groups.get(this.shown.keys[node.run.members[0]]).focus({ preventScroll: true });
  }

  // Bring a layer, or the run that it is folded into, to the middle of the box.
  reveal(number) {
    this.draw();
    const place = this.graph.node(this.shown.keys[number]);
    if (!place) return;
    this.frame.scrollTo({
      left: place.x * this.scale - this.frame.clientWidth / 2,
      top: place.y * this.scale - this.frame.clientHeight / 2,
    });
  }

  // Bring the box to where it can be seen, and the layer, which a panel below could cover.
  travel(number) {
    for (const each of [this.frame, this.groups.get(this.shown.keys[number])]) {
      each?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  // Mark what is chosen, and let what the search does not find step back.
  mark() {
    if (!this.shown) return;
    const { chosen, found } = this.model;
    const key = chosen === null ? null : this.shown.keys[chosen];
    for (const [each, group] of this.groups) group.classList.toggle("chosen", each === key);
    const bright = found && new Set([...found].map((number) => this.shown.keys[number]));
    for (const [each, group] of this.groups) {
      group.classList.toggle("dim", Boolean(bright) && !bright.has(each));
    }
  }
}
