// The tile: what the cloud showed about the car, the car driving up, and the map's walls where the estimate says they should be.

class TileView {
  constructor(run, grid) {
    this.run = run;
    this.grid = grid;
    this.canvas = document.getElementById("tile");
    this.note = document.getElementById("tile-note");
    this.overlay = document.getElementById("tile-map");
  }

  show(cloud) {
    const { run } = this;
    const { context, width } = sharp(this.canvas);
    const tile = tileAt(run, cloud);
    context.fillStyle = themed("tile-unknown");
    context.fillRect(0, 0, width, width);
    if (!tile) {
      this.note.textContent = run.tiles ? "no tile yet" : "this run holds no tiles";
      return;
    }
    const { size } = run.tiles;
    const pixel = width / size;
    let walls = 0;
    for (let row = 0; row < size; row += 1) {
      for (let col = 0; col < size; col += 1) {
        const wall = tile.wall(row, col);
        if (!wall && !tile.free(row, col)) continue;
        walls += wall;
        context.fillStyle = wall ? this.colours.wall : this.colours.free;
        context.fillRect(col * pixel, row * pixel, pixel + 0.35, pixel + 0.35);
      }
    }
    const estimate = poseAt(run, "estimate", tile.cloud);
    if (this.overlay.checked && estimate) this.drawMap(context, width, estimate);
    drawCar(context, width / 2, width / 2, Math.PI / 2, 8, { fill: themed(STATES[run.clouds.state[cloud]]), line: themed("casing") });
    const age = run.clouds.time[cloud] - run.clouds.time[tile.cloud];
    const side = Math.round(size * run.tiles.pixel_m);
    this.note.textContent = `tile ${side} × ${side} m, forward is up${age > 0.05 ? `, ${age.toFixed(1)} s old` : ""} `;
    this.canvas.setAttribute("aria-label", `Tile ${side} by ${side} metres: ${walls} pixels show walls`);
  }

  theme() {
    this.colours = { wall: themed("tile-wall"), free: themed("tile-free") };
  }

  drawMap(context, width, pose) {
    const half = (this.run.tiles.size * this.run.tiles.pixel_m) / 2;
    const scale = width / (2 * half);
    context.save();
    context.beginPath();
    context.rect(0, 0, width, width);
    context.clip();
    // Up is forward: canvas x = -base y, canvas y = -base x.
    context.translate(width / 2, width / 2);
    context.scale(scale, -scale);
    context.rotate(Math.PI / 2 - pose.yaw);
    context.translate(-pose.east, -pose.north);
    context.strokeStyle = themed("tile-map");
    context.lineWidth = 1.4 / scale;
    const reach = half * 1.5;
    for (const path of this.grid.buildingsIn(pose.east - reach, pose.north - reach, pose.east + reach, pose.north + reach)) context.stroke(path);
    context.restore();
  }
}

// An arrow of so many pixels that points along a heading, 0 = to the right, counter-clockwise.
function drawCar(context, x, y, heading, size, { fill, line, width = 1.5 }) {
  context.save();
  context.translate(x, y);
  context.rotate(-heading);
  context.beginPath();
  context.moveTo(size * 1.25, 0);
  context.lineTo(-size * 0.85, size * 0.8);
  context.lineTo(-size * 0.4, 0);
  context.lineTo(-size * 0.85, -size * 0.8);
  context.closePath();
  if (fill) {
    context.fillStyle = fill;
    context.fill();
  }
  context.strokeStyle = line;
  context.lineWidth = width;
  context.stroke();
  context.restore();
}
