// The map: ground and tracks on one canvas, redrawn when the view changes; the moment on another above it.

const REGION = Math.sqrt(-2 * Math.log(1 - 0.9545)); // radius that holds as much of a plane's normal distribution as 2 sigma of a line's
const COLOUR_STEPS = 48;

class MapView {
  constructor(run, ground, go) {
    Object.assign(this, { run, ground, go, cloud: 0 });
    this.base = document.getElementById("map-base");
    this.top = document.getElementById("map-moment");
    this.view = new View(this.top, run.frame, () => this.draw(), (x, y) => this.pick(x, y));
    this.options = {};
    for (const name of ["truth", "tile", "hypotheses", "single", "region"]) {
      this.options[name] = document.getElementById(`show-${name}`);
      this.options[name].addEventListener("change", () => this.draw());
    }
    this.follow = document.getElementById("follow");
    this.follow.addEventListener("change", () => {
      if (this.follow.checked) this.view.look(this.view.east, this.view.north, Math.max(this.view.scale, 4));
      else this.view.fit();
      this.show(this.cloud);
    });
    this.drawScale();
  }

  show(cloud) {
    this.cloud = cloud;
    const pose = poseAt(this.run, "estimate", cloud) || poseAt(this.run, "truth", cloud);
    if (this.follow.checked && pose) this.view.look(pose.east, pose.north);
    else this.drawMoment();
  }

  resized() {
    if (this.view.touched || this.follow.checked) this.draw();
    else this.view.fit();
  }

  draw() {
    this.drawBase();
    this.drawMoment();
  }

  // Lets paths in metres be drawn; line widths are then metres too.
  inMetres(context, act) {
    const { view } = this;
    const { width, height } = view.size();
    context.save();
    context.translate(width / 2, height / 2);
    context.scale(view.scale, -view.scale);
    context.translate(-view.east, -view.north);
    act();
    context.restore();
  }

  drawBase() {
    const { context, height } = sharp(this.base);
    const { view, ground } = this;
    this.inMetres(context, () => {
      const seen = view.seen(10);
      context.lineCap = "round";
      context.lineJoin = "round";
      for (const [width, name] of [[7, "road-edge"], [5.6, "road"]]) {
        context.lineWidth = Math.max(width, 1.2 / view.scale);
        context.strokeStyle = themed(name);
        for (const path of ground.roadsIn(...seen)) context.stroke(path);
      }
      context.fillStyle = themed("building");
      context.strokeStyle = themed("building-edge");
      context.lineWidth = 0.8 / view.scale;
      for (const path of ground.buildingsIn(...seen)) {
        context.fill(path);
        context.stroke(path);
      }
    });
    if (this.options.truth.checked) this.drawTruth(context);
    this.drawEstimates(context);
    this.drawMoments(context);
    this.drawScaleBar(context, height);
  }

  drawTruth(context) {
    const { truth_east: east, truth_north: north, estimate_east: estimate } = this.run.clouds;
    for (const lost of [false, true]) {
      context.beginPath();
      let on = false;
      for (let i = 0; i < east.length; i += 1) {
        if (Number.isNaN(east[i]) || (lost && !Number.isNaN(estimate[i]))) {
          on = false;
          continue;
        }
        const [x, y] = this.view.toCanvas(east[i], north[i]);
        if (on) context.lineTo(x, y);
        else context.moveTo(x, y);
        on = true;
      }
      context.strokeStyle = themed("truth");
      context.setLineDash(lost ? [2, 4] : []);
      context.globalAlpha = lost ? 1 : 0.4;
      context.lineWidth = lost ? 2 : 7;
      context.lineCap = "round";
      context.lineJoin = "round";
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  drawEstimates(context) {
    const { estimate_east: east, estimate_north: north, position } = this.run.clouds;
    const radius = Math.min(4, Math.max(1.8, this.view.scale * 0.5));
    const paths = new Map();
    for (let i = 0; i < east.length; i += 1) {
      if (Number.isNaN(east[i])) continue;
      const share = position[i] / this.run.scale.end_m;
      const step = Number.isNaN(share) ? -1 : Math.min(COLOUR_STEPS + 1, Math.floor(share * COLOUR_STEPS));
      if (!paths.has(step)) paths.set(step, new Path2D());
      const [x, y] = this.view.toCanvas(east[i], north[i]);
      paths.get(step).moveTo(x + radius, y);
      paths.get(step).arc(x, y, radius, 0, 2 * Math.PI);
    }
    for (const [step, path] of [...paths].sort((a, b) => a[0] - b[0])) {
      context.fillStyle = step < 0 ? themed("locked") : scaleColour(this.run.scale.colours, step / COLOUR_STEPS);
      context.fill(path);
    }
  }

  drawMoments(context) {
    context.font = "600 12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const taken = [];
    for (const { cloud, kind, mark } of this.run.moments) {
      const pose = poseAt(this.run, "estimate", cloud) || poseAt(this.run, "truth", cloud);
      if (!pose || !mark) continue;
      const [x, y] = this.view.toCanvas(pose.east, pose.north);
      const colour = { lock: themed("locked"), lost: themed("lost"), wrong: themed("lost") }[kind] || themed("accent");
      context.lineWidth = 2.5;
      context.strokeStyle = colour;
      context.fillStyle = themed("card");
      context.beginPath();
      context.arc(x, y, 7, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      context.textAlign = "center";
      context.fillStyle = colour;
      context.fillText({ lock: "✓", lost: "×", wrong: "!", error: "▲", start: "S" }[kind] || "•", x, y + 0.5);
      this.label(context, mark, x + 12, y, taken);
    }
  }

  // Writes beside a marker, a little higher or lower where another label is; where there is no room, not at all.
  label(context, text, x, y, taken) {
    const wide = context.measureText(text).width;
    const free = (at) => taken.every((box) => x > box.x + box.wide || x + wide < box.x || Math.abs(at - box.y) > 14);
    const at = [y, y - 15, y + 15].find(free);
    if (at === undefined) return;
    taken.push({ x, y: at, wide });
    context.textAlign = "left";
    context.strokeStyle = themed("casing");
    context.lineWidth = 3.5;
    context.lineJoin = "round";
    context.strokeText(text, x, at);
    context.fillStyle = themed("ink");
    context.fillText(text, x, at);
  }

  drawScaleBar(context, height) {
    const length = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].filter((v) => v * this.view.scale < 130).pop() || 1;
    const [x, y] = [14, height - 14];
    for (const [colour, width] of [[themed("casing"), 5], [themed("ink"), 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + length * this.view.scale, y);
      context.stroke();
    }
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "bottom";
    context.fillStyle = themed("ink");
    context.fillText(`${length} m, north up`, x, y - 4);
  }

  drawMoment() {
    const { context } = sharp(this.top);
    const { run, cloud, view, options } = this;
    const [truth, estimate] = [poseAt(run, "truth", cloud), poseAt(run, "estimate", cloud)];
    if (options.tile.checked) this.drawTile(context, estimate || truth);
    if (options.hypotheses.checked) this.drawHypotheses(context);
    if (options.region.checked && estimate) this.drawRegion(context, estimate);
    if (options.single.checked) {
      const single = poseAt(run, "single", cloud);
      if (single) drawDiamond(context, ...view.toCanvas(single.east, single.north), themed("single"), themed("casing"));
    }
    const at = (pose) => [...view.toCanvas(pose.east, pose.north), pose.yaw];
    if (truth && options.truth.checked) {
      drawCar(context, ...at(truth), 10, { line: themed("casing"), width: 5 });
      drawCar(context, ...at(truth), 10, { line: themed("truth"), width: 2 });
    }
    if (estimate) drawCar(context, ...at(estimate), 8, { fill: themed(STATES[run.clouds.state[cloud]]), line: themed("casing") });
  }

  drawTile(context, pose) {
    const tile = pose && tileAt(this.run, this.cloud);
    if (!tile || tile.cloud !== this.cloud) return;
    const { size, pixel_m: step } = this.run.tiles;
    const [c, s, half] = [Math.cos(pose.yaw), Math.sin(pose.yaw), (size * step) / 2];
    const dot = Math.min(5, Math.max(1.6, step * this.view.scale * 0.45));
    context.fillStyle = themed("wall");
    for (let row = 0; row < size; row += 1) {
      for (let col = 0; col < size; col += 1) {
        if (!tile.wall(row, col)) continue;
        const [forward, left] = [half - (row + 0.5) * step, half - (col + 0.5) * step];
        const [x, y] = this.view.toCanvas(pose.east + c * forward - s * left, pose.north + s * forward + c * left);
        context.fillRect(x - dot / 2, y - dot / 2, dot, dot);
      }
    }
  }

  drawHypotheses(context) {
    const { list } = hypothesesAt(this.run, this.cloud);
    list.slice().reverse().forEach((pose, i) => {
      const rank = list.length - 1 - i;
      context.globalAlpha = rank ? 0.65 : 1;
      drawCar(context, ...this.view.toCanvas(pose.east, pose.north), pose.yaw, rank ? 5 : 7, { fill: themed("hypothesis"), line: themed("casing"), width: 1 });
    });
    context.globalAlpha = 1;
  }

  drawRegion(context, estimate) {
    const { cov_ee: ee, cov_en: en, cov_nn: nn } = this.run.clouds;
    const k = this.cloud;
    const [mean, half] = [(ee[k] + nn[k]) / 2, Math.hypot((ee[k] - nn[k]) / 2, en[k])];
    if (!Number.isFinite(mean)) return;
    const [long, short] = [mean + half, Math.max(0, mean - half)].map((v) => REGION * Math.sqrt(v) * this.view.scale);
    context.save();
    context.translate(...this.view.toCanvas(estimate.east, estimate.north));
    context.rotate(-0.5 * Math.atan2(2 * en[k], ee[k] - nn[k]));
    context.beginPath();
    context.ellipse(0, 0, long, short, 0, 0, 2 * Math.PI);
    context.restore();
    context.strokeStyle = themed("region");
    context.fillStyle = themed("region");
    context.globalAlpha = 0.15;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.8;
    context.stroke();
  }

  pick(x, y) {
    const { truth_east: te, truth_north: tn, estimate_east: ee, estimate_north: en } = this.run.clouds;
    let [best, nearest] = [-1, 24];
    for (let i = 0; i < te.length; i += 1) {
      for (const [east, north] of [[ee[i], en[i]], [te[i], tn[i]]]) {
        const [px, py] = this.view.toCanvas(east, north);
        const far = Math.hypot(px - x, py - y); // NaN, which is never less, where there is no pose
        if (far < nearest) [best, nearest] = [i, far];
      }
    }
    if (best >= 0) this.go(best);
  }

  drawScale() {
    const { scale } = this.run;
    document.getElementById("scale-low").textContent = "error 0";
    document.getElementById("scale-high").textContent = `${scale.end_m} m and more`;
    const { context, width, height } = sharp(document.getElementById("scale-bar"));
    for (let x = 0; x < width; x += 1) {
      context.fillStyle = scaleColour(scale.colours, x / (width - 8));
      context.fillRect(x, 0, 1.5, height);
    }
  }
}

function drawDiamond(context, x, y, colour, casing) {
  for (const [line, width] of [[casing, 5], [colour, 2.5]]) {
    context.beginPath();
    context.moveTo(x + 8, y);
    context.lineTo(x, y + 8);
    context.lineTo(x - 8, y);
    context.lineTo(x, y - 8);
    context.closePath();
    context.strokeStyle = line;
    context.lineWidth = width;
    context.stroke();
  }
}
