// The table of layers: searched, and cut down to what changed.

class Table {
  constructor(model, section) {
    this.model = model;
    this.rows = [...section.querySelectorAll("tr[data-layer]")].map((row) => (
      { row, number: Number(row.dataset.layer), text: row.textContent.toLowerCase() }));
    this.input = element("input", { type: "search", placeholder: "Search layers  ( / )",
      "aria-label": "Search layers" });
    this.changes = element("input", { type: "checkbox" });
    this.count = element("span", { class: "quiet", role: "status" });
    const tools = element("p", { class: "tools" }, this.input);
    if (model.changed.length) {
      tools.append(element("label", {}, this.changes, " changes only"));
      this.changes.checked = this.rows.length > 30;
    }
    tools.append(this.count);
    section.querySelector("table").before(tools);
    this.input.addEventListener("input", () => this.filter());
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.chooseFirst();
    });
    this.changes.addEventListener("change", () => this.filter());
    for (const { row, number } of this.rows) this.prepare(row, number);
    this.filter();
  }

  prepare(row, number) {
    row.setAttribute("tabindex", "0");
    const choose = () => this.model.page.choose(this.model, number);
    row.addEventListener("click", choose);
    row.addEventListener("keydown", (event) => {
      if (event.key === "Enter") choose();
    });
  }

  filter() {
    const wanted = this.input.value.trim().toLowerCase();
    const { layers } = this.model.data;
    const matches = this.rows.filter(({ text }) => text.includes(wanted));
    const shown = new Set(matches.filter(({ number }) =>
      !this.changes.checked || layers[number].look !== "same"));
    for (const each of this.rows) each.row.hidden = !shown.has(each);
    this.first = [...shown][0];
    this.count.textContent = shown.size === this.rows.length ? ""
      : `${shown.size.toLocaleString("en")} of ${this.rows.length.toLocaleString("en")} shown`;
    this.model.found = wanted ? new Set(matches.map(({ number }) => number)) : null;
    this.model.picture?.mark();
  }

  chooseFirst() {
    if (this.first) this.model.page.choose(this.model, this.first.number, true);
  }

  mark() {
    for (const { row, number } of this.rows) {
      row.classList.toggle("chosen", number === this.model.chosen);
    }
  }
}
