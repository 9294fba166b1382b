// What of a graph is drawn: layers, and in the place of many that say nothing, one node.

function visible(data, open) {
  const keys = data.layers.map((layer) => `layer ${layer.number}`);
  const nodes = new Map();
  data.runs.forEach((run, at) => {
    if (open.has(at)) return;
    const key = `run ${at}`;
    nodes.set(key, { key, run, at, look: run.look, name: run.title, what: run.told, symbol: "⋯" });
    for (const member of run.members) keys[member] = key;
  });
  for (const layer of data.layers) {
    const key = keys[layer.number];
    if (!layer.drawn || nodes.has(key)) continue;
    const { look, name, what, symbols } = layer;
    nodes.set(key, { key, layer, look, name, what, symbol: symbols });
  }
  return { nodes, edges: merged(data.edges, keys), keys };
}

// Where several connections become one, it is drawn as unchanged if any of them is.
function merged(edges, keys) {
  const found = new Map();
  for (const [from, to, sides] of edges) {
    const [source, target] = [keys[from], keys[to]];
    if (source === target) continue;
    const key = `${source} → ${target}`;
    const known = found.get(key);
    found.set(key, { source, target, sides: known && known.sides !== sides ? "both" : sides });
  }
  return [...found.values()];
}
