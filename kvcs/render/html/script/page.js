// The page: its models, what is chosen in them, and the keys.

class Model {
  constructor(page, section) {
    this.page = page;
    this.section = section;
    this.data = JSON.parse(section.querySelector("script.data").textContent);
    this.chosen = null;
    this.found = null;
    this.changed = this.data.layers.filter((layer) => layer.look !== "same");
    this.table = new Table(this, section.querySelector(".layers"));
    this.picture = new Picture(this, section.querySelector(".picture"));
  }

  mark(number) {
    this.chosen = number;
    this.picture.mark();
    this.table.mark();
  }
}

class Page {
  constructor() {
    this.panel = new Panel(() => this.close());
    this.models = [...document.querySelectorAll("section.model")]
      .filter((section) => section.querySelector("script.data"))
      .map((section) => new Model(this, section));
    this.stops = this.models.flatMap((model) =>
      model.changed.map(({ number }) => ({ model, number })));
    this.at = -1;
    this.drawWhenSeen();
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("beforeprint", () => this.prepareForPrint());
  }

  // A page of many models draws the graphs that are looked at.
  drawWhenSeen() {
    const observer = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        observer.unobserve(target);
        this.models.find(({ section }) => section.contains(target)).picture.draw();
      }
    }, { rootMargin: "600px" });
    for (const { picture } of this.models) observer.observe(picture.frame);
  }

  choose(model, number, travel = false) {
    for (const each of this.models) if (each !== model) each.mark(null);
    this.at = this.stops.findIndex((stop) => stop.model === model && stop.number === number);
    this.panel.show(model.data.layers[number], model.data.alone);
    model.picture.draw();
    model.mark(number);
    model.picture.reveal(number);
    if (travel) model.picture.travel(number);
  }

  close() {
    this.panel.hide();
    for (const model of this.models) model.mark(null);
  }

  step(by) {
    if (!this.stops.length) return;
    const many = this.stops.length;
    const next = this.at < 0 && by < 0 ? many - 1 : (this.at + by + many) % many;
    const { model, number } = this.stops[next];
    this.choose(model, number, true);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      document.activeElement?.blur();
      this.close();
    } else if (event.target.matches("input[type=search]")) {
      return;
    } else if (event.key === "n" || event.key === "N") {
      this.step(event.key === "n" ? 1 : -1);
    } else if (event.key === "/" && this.models.length) {
      event.preventDefault();
      this.nearest().table.input.focus();
    }
  }

  nearest() {
    const middle = window.innerHeight / 2;
    return this.models.find(({ section }) => section.getBoundingClientRect().bottom > middle)
      ?? this.models[0];
  }

  prepareForPrint() {
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const { picture } of this.models) picture.draw();
  }
}

new Page();
