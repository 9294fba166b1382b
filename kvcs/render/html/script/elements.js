// Elements are made one by one, and text is set as text: what a model is called is never markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function button(label, title, act) {
  const symbol = label.length === 1; // which a screen reader would read out
  const made = element("button", { type: "button", title, "aria-label": symbol ? title : null },
    label);
  made.addEventListener("click", act);
  return made;
}
