// What there is to say of one layer, beside the page.

class Panel {
  constructor(close) {
    this.body = element("div", { class: "about" });
    this.place = element("aside", { class: "panel", "aria-live": "polite", "aria-label": "Layer" },
      button("×", "Close (Esc)", close), this.body);
    this.place.hidden = true;
    document.body.append(this.place);
  }

  show(layer, alone) {
    this.body.replaceChildren(...about(layer, alone));
    this.place.hidden = false;
    this.place.scrollTop = 0;
    document.body.classList.add("beside");
  }

  hide() {
    this.place.hidden = true;
    document.body.classList.remove("beside");
  }
}

// A model that is shown alone has no changes, nor what is unchanged.
function about(layer, alone) {
  const facts = [layer.shape, layer.parameters && `${layer.parameters} parameters`];
  const found = [element("h2", {}, element("code", {}, layer.name))];
  if (!alone) {
    const kinds = layer.kinds ? `${layer.symbols} ${layer.kinds}` : "unchanged";
    found.push(element("p", { class: `kinds ${layer.look}` }, kinds));
  }
  found.push(element("p", {}, element("code", {}, layer.what)),
    element("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")));
  if (layer.told.length) found.push(listed(layer.told));
  for (const reason of layer.reasons) found.push(element("p", { class: "reason" }, reason));
  if (layer.match) found.push(element("p", { class: "quiet" }, layer.match));
  const settings = titled("Settings", layer.settings, () => [settingsTable(layer.settings)]);
  const weights = titled("Weights", layer.weights, () =>
    layer.weights.map((each) => weight(each, alone)));
  const first = layer.settings.some(isChanged) || !layer.weights.some(({ change }) => change);
  return [...found, ...(first ? [...settings, ...weights] : [...weights, ...settings])];
}

function titled(title, items, made) {
  return items.length ? [element("h3", {}, title), ...made()] : [];
}

function isChanged(setting) {
  return setting.length > 2;
}

function listed(lines) {
  return element("ul", {}, ...lines.map((line) => element("li", {}, line)));
}

function settingsTable(settings) {
  const body = element("tbody");
  for (const setting of settings) {
    const [name, old, changed] = setting;
    const row = element("tr", { class: isChanged(setting) ? "changed" : null },
      element("th", { scope: "row" }, name));
    if (isChanged(setting)) row.append(cell(old), cell(changed));
    else row.append(cell(old, { colspan: "2" }));
    body.append(row);
  }
  const titles = settings.some(isChanged) ? ["before", "after"] : ["value", ""];
  const head = element("tr", {}, element("th", { scope: "col" }, "name"),
    ...titles.map((title) => element("th", { scope: "col" }, title)));
  return element("table", { class: "settings" }, element("thead", {}, head), body);
}

function cell(text, attributes = {}) {
  return element("td", attributes, element("code", {}, text));
}

function weight({ name, kind, change, numbers, picture }, alone) {
  const found = element("div", { class: "weight" },
    element("p", {}, element("code", {}, name), ` ${kind}`));
  if (!alone) found.append(element("p", { class: "quiet" }, change || "the same to the bit"));
  if (numbers.length) {
    const [relative, cosine, largest, share] = numbers;
    const rows = [["relative L2", relative], ["cosine", cosine], ["largest change", largest],
      ["changed values", share]];
    found.append(element("dl", {}, ...rows.filter(([, value]) => value).flatMap(([title, value]) =>
      [element("dt", {}, title), element("dd", {}, value)])));
  }
  if (picture) {
    const wide = { viewBox: "0 0 41 24", preserveAspectRatio: "none", class: "histogram",
      role: "img", "aria-label": "How the change is spread" };
    found.append(drawn("svg", wide, drawn("path", { d: picture })),
      element("p", { class: "scale" }, element("span", {}, `−${numbers[2]}`),
        element("span", {}, "0"), element("span", {}, `+${numbers[2]}`)));
  }
  return found;
}
