// Where nodes and edges stand: dagre's work. Sizes are those of the text in them.

const MOST_CHARACTERS = 34;
const NODE = { height: 44, symbol: 30, padding: 14, narrowest: 110 };
const MANY = 400; // nodes; above it, a ranking is taken that is a little wider and much faster
const ruler = document.createElement("canvas").getContext("2d");

// The end of a path says more than its beginning.
function cut(text) {
  const letters = [...text];
  if (letters.length <= MOST_CHARACTERS) return text;
  return `${letters.slice(0, 10).join("")}…${letters.slice(11 - MOST_CHARACTERS).join("")}`;
}

function wide(text, font) {
  ruler.font = font;
  return ruler.measureText(text).width;
}

function sized(node) {
  const width = Math.max(
    NODE.narrowest,
    wide(cut(node.name), "600 13px system-ui, sans-serif"),
    wide(cut(node.what), "12px system-ui, sans-serif"),
  );
  return { width: Math.ceil(width) + NODE.symbol + NODE.padding, height: NODE.height };
}

function laidOut({ nodes, edges }) {
  const graph = new dagre.graphlib.Graph();
  const ranker = nodes.size > MANY ? "tight-tree" : "network-simplex";
  graph.setGraph({ nodesep: 26, ranksep: 34, marginx: 18, marginy: 18, ranker });
  for (const node of nodes.values()) graph.setNode(node.key, sized(node));
  for (const { source, target } of edges) graph.setEdge(source, target, {});
  dagre.layout(graph);
  return graph;
}
