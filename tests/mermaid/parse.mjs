// Reads diagrams with the real Mermaid: a line of JSON in, a line of JSON out, until the input ends.

import { createInterface } from "node:readline";

import { JSDOM } from "jsdom";

// Mermaid cleans labels with DOMPurify, which looks for a browser when it is imported.
const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;

const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false, securityLevel: "strict", suppressErrorRendering: true });

async function read(text) {
  await mermaid.parse(text);
  const { type, db } = await mermaid.mermaidAPI.getDiagramFromText(text);
  const nodes = [...db.getVertices().values()].map((node) => ({
    id: node.id,
    text: node.text,
    kind: node.labelType,
    shape: node.type,
    classes: node.classes,
    link: node.link ?? null,
    callback: Boolean(node.haveCallback),
  }));
  const edges = db.getEdges().map(({ start, end, text, stroke }) => ({ start, end, text, stroke }));
  const groups = db.getSubGraphs().length;
  return { type, direction: db.getDirection(), nodes, edges, groups, classes: [...db.getClasses().keys()] };
}

for await (const line of createInterface({ input: process.stdin })) {
  let found;
  try {
    found = await read(JSON.parse(line));
  } catch (error) {
    found = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
