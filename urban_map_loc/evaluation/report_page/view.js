// Where the map looks: centre and scale, moved by mouse, wheel, fingers, buttons and keys.

class View {
  constructor(canvas, bounds, changed, clicked) {
    Object.assign(this, { canvas, bounds, changed, clicked, east: 0, north: 0, scale: 1, touched: false });
    this.fingers = new Map();
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event, true));
    canvas.addEventListener("pointercancel", (event) => this.up(event, false));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    const press = (id, act) => document.getElementById(id).addEventListener("click", act);
    press("zoom-in", () => this.zoom(1.6));
    press("zoom-out", () => this.zoom(1 / 1.6));
    press("zoom-fit", () => this.fit());
  }

  size() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  fit() {
    const { width, height } = this.size();
    const [west, south, east, north] = this.bounds;
    const scale = Math.min(width / (east - west), height / (north - south));
    this.touched = false;
    this.look((west + east) / 2, (south + north) / 2, scale);
  }

  look(east, north, scale = this.scale) {
    this.east = east;
    this.north = north;
    this.scale = Math.min(60, Math.max(0.01, scale));
    this.changed();
  }

  // Zooms by a factor about a point of the canvas, its middle unless given.
  zoom(factor, x = this.size().width / 2, y = this.size().height / 2) {
    const before = this.toMap(x, y);
    this.touched = true;
    this.scale = Math.min(60, Math.max(0.01, this.scale * factor));
    const after = this.toMap(x, y);
    this.look(this.east + before.east - after.east, this.north + before.north - after.north);
  }

  toCanvas(east, north) {
    const { width, height } = this.size();
    return [width / 2 + (east - this.east) * this.scale, height / 2 - (north - this.north) * this.scale];
  }

  toMap(x, y) {
    const { width, height } = this.size();
    return { east: this.east + (x - width / 2) / this.scale, north: this.north - (y - height / 2) / this.scale };
  }

  // The corners of what is seen [m], with a border in pixels.
  seen(border = 0) {
    const { width, height } = this.size();
    const [low, high] = [this.toMap(-border, height + border), this.toMap(width + border, -border)];
    return [low.east, low.north, high.east, high.north];
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.fingers.set(event.pointerId, at);
    this.start = this.fingers.size === 1 ? at : null;
  }

  move(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const at = this.place(event);
    if (this.start && Math.hypot(at.x - this.start.x, at.y - this.start.y) > 5) this.start = null;
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.fingers.set(event.pointerId, at);
    this.touched ||= !this.start;
    if (other) {
      const spread = (p) => Math.max(10, Math.hypot(p.x - other.x, p.y - other.y));
      this.zoom(spread(at) / spread(before), (at.x + other.x) / 2, (at.y + other.y) / 2);
      this.look(this.east - (at.x - before.x) / 2 / this.scale, this.north + (at.y - before.y) / 2 / this.scale);
    } else if (!this.start) {
      this.look(this.east - (at.x - before.x) / this.scale, this.north + (at.y - before.y) / this.scale);
    }
  }

  up(event, whole) {
    const at = this.place(event);
    this.fingers.delete(event.pointerId);
    if (whole && this.start) this.clicked(at.x, at.y);
    this.start = null;
  }

  wheel(event) {
    if (!event.ctrlKey && document.activeElement !== this.canvas) return; // the page scrolls
    event.preventDefault();
    const { x, y } = this.place(event);
    this.zoom(Math.exp(-event.deltaY * 0.0016), x, y);
  }

  key(event) {
    const act = { "+": () => this.zoom(1.6), "=": () => this.zoom(1.6), "-": () => this.zoom(1 / 1.6), 0: () => this.fit() }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}
