// Diagrams over time with a cursor at the moment that is shown, the band of states, the histogram.

const LEFT = 46;
const BOTTOM = 20;
const THUMB = 8; // half the slider's thumb: its track begins so far in

class TimeChart {
  // lines: [{ values, colour, dashed }]; band: values up to which the area is filled; both sides of 0 where signed.
  constructor(run, go, { caption, label, lines, band, signed, format }) {
    Object.assign(this, { run, lines, band, signed, format, cloud: 0, keep: document.createElement("canvas") });
    const figure = document.createElement("figure");
    figure.className = "chart";
    figure.innerHTML = `<figcaption>${caption}</figcaption>`;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", label);
    figure.append(this.canvas);
    document.getElementById("charts").append(figure);
    pointAndGo(this.canvas, (x) => go(this.cloudAt(x)));
    this.top = this.range();
  }

  // The diagram ends where nearly all values do: one wild value must not flatten the rest. What is beyond is marked at the edge.
  range() {
    const values = this.lines.flatMap(({ values: v }) => finite(v).map(Math.abs));
    const [most, usual] = [quantile(values, 1), quantile(values, 0.95)];
    const band = this.band ? quantile(this.band, 0.9) : 0;
    return roundUp(Math.max(Math.min(most, 4 * usual || most), band || 0, 1e-3));
  }

  x(cloud) {
    const { time } = this.run.clouds;
    const span = time[time.length - 1] - time[0] || 1;
    return LEFT + ((time[cloud] - time[0]) / span) * (this.width - LEFT - 8);
  }

  cloudAt(x) {
    const { time } = this.run.clouds;
    const span = time[time.length - 1] - time[0];
    return Math.max(0, lastUpTo(time, time[0] + ((x - LEFT) / (this.width - LEFT - 8)) * span));
  }

  y(value) {
    const low = this.signed ? -this.top : 0;
    return this.height - BOTTOM - ((value - low) / (this.top - low)) * (this.height - BOTTOM - 8);
  }

  draw() {
    const { context, width, height } = sharp(this.canvas);
    Object.assign(this, { width, height });
    this.axes(context);
    if (this.band) this.fill(context);
    for (const line of this.lines) this.line(context, line);
    Object.assign(this.keep, { width: this.canvas.width, height: this.canvas.height });
    this.keep.getContext("2d").drawImage(this.canvas, 0, 0);
    this.show(this.cloud);
  }

  axes(context) {
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = themed("quiet");
    context.strokeStyle = themed("grid");
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const share of this.signed ? [-1, -0.5, 0, 0.5, 1] : [0, 0.5, 1]) {
      const y = Math.round(this.y(share * this.top)) + 0.5;
      context.beginPath();
      context.moveTo(LEFT, y);
      context.lineTo(this.width - 8, y);
      context.stroke();
      context.fillText(this.format(share * this.top), LEFT - 5, y);
    }
    const { time } = this.run.clouds;
    const span = time[time.length - 1] - time[0];
    const step = roundUp((span * 70) / Math.max(140, this.width - LEFT));
    context.textAlign = "center";
    context.textBaseline = "bottom";
    for (let t = 0; t <= span + 1e-6; t += step) {
      const x = LEFT + (t / (span || 1)) * (this.width - LEFT - 8);
      if (x < this.width - 14) context.fillText(t ? String(+t.toFixed(1)) : "0 s", x, this.height);
      if (!span) break;
    }
  }

  fill(context) {
    context.fillStyle = themed("band");
    context.beginPath();
    let from = -1;
    for (let i = 0; i <= this.band.length; i += 1) {
      const there = i < this.band.length && Number.isFinite(this.band[i]);
      if (there && from < 0) from = i;
      if (there || from < 0) continue;
      for (let k = from; k < i; k += 1) context.lineTo(this.x(k), this.y(Math.min(this.top, this.band[k])));
      for (let k = i - 1; k >= from; k -= 1) context.lineTo(this.x(k), this.y(this.signed ? -Math.min(this.top, this.band[k]) : 0));
      context.fill();
      context.beginPath();
      from = -1;
    }
  }

  line(context, { values, colour, dashed }) {
    context.strokeStyle = themed(colour);
    context.fillStyle = themed("lost");
    context.lineWidth = 1.4;
    context.lineJoin = "round";
    context.setLineDash(dashed ? [5, 3] : []);
    context.beginPath();
    let on = false;
    for (let i = 0; i < values.length; i += 1) {
      if (!Number.isFinite(values[i])) {
        on = false;
        continue;
      }
      const [x, y] = [this.x(i), this.y(Math.max(-this.top, Math.min(this.top, values[i])))];
      if (on) context.lineTo(x, y);
      else context.moveTo(x, y);
      on = true;
      if (Math.abs(values[i]) > this.top) context.fillRect(x - 1, y - 3, 2.5, 6);
    }
    context.stroke();
    context.setLineDash([]);
  }

  show(cloud) {
    this.cloud = cloud;
    const context = this.canvas.getContext("2d");
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.keep, 0, 0);
    context.restore();
    const x = this.x(cloud);
    context.strokeStyle = themed("ink");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, 4);
    context.lineTo(x, this.height - BOTTOM);
    context.stroke();
    context.font = "600 12px system-ui, sans-serif";
    context.textBaseline = "top";
    const text = this.lines.map(({ values }) => (Number.isFinite(values[cloud]) ? this.format(values[cloud], 2) : "–")).join(" / ");
    context.textAlign = x > this.width / 2 ? "right" : "left";
    const at = x + (x > this.width / 2 ? -5 : 5);
    context.lineWidth = 3;
    context.strokeStyle = themed("card");
    context.strokeText(text, at, 4);
    context.fillStyle = themed("ink");
    context.fillText(text, at, 4);
  }
}

// The states as a band above the slider; as wide as the slider's track.
class StateBand {
  constructor(run, go) {
    Object.assign(this, { run, canvas: document.getElementById("states") });
    pointAndGo(this.canvas, (x, width) => go(((x - THUMB) / (width - 2 * THUMB)) * (run.count - 1)));
  }

  draw() {
    const { context, width, height } = sharp(this.canvas);
    const { state } = this.run.clouds;
    const x = (cloud) => THUMB + (cloud / Math.max(1, this.run.count - 1)) * (width - 2 * THUMB);
    for (let begin = 0, end = 0; begin < state.length; begin = end) {
      while (end < state.length && state[end] === state[begin]) end += 1;
      // Told apart by height as well as by colour.
      const tall = height * [0.45, 1, 0.7][state[begin]];
      context.fillStyle = themed(STATES[state[begin]]);
      context.fillRect(x(begin), height - tall, Math.max(1, x(end) - x(begin)), tall);
    }
    context.fillStyle = themed("ink");
    for (const { cloud } of this.run.moments) context.fillRect(x(cloud) - 1, 0, 2, height);
  }
}

// Calls with the x of the pointer while it is pressed, and the canvas's width; up and down still scrolls the page.
function pointAndGo(canvas, act) {
  const report = (event) => {
    const box = canvas.getBoundingClientRect();
    act(Math.min(box.width, Math.max(0, event.clientX - box.left)), box.width);
  };
  canvas.style.touchAction = "pan-y";
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    report(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) report(event);
  });
}

function drawHistogram(run) {
  const canvas = document.getElementById("histogram");
  const { context, width, height } = sharp(canvas);
  const errors = finite(run.clouds.position);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = themed("quiet");
  if (!errors.length) {
    context.fillText("no cloud with both an estimate and the truth", 10, 30);
    return;
  }
  const { end_m: end } = run.scale;
  const bins = 25;
  const counts = new Array(bins + 1).fill(0);
  for (const error of errors) counts[Math.min(bins, Math.floor((error / end) * bins))] += 1;
  const [inner, base] = [width - LEFT - 48, height - BOTTOM];
  const bar = inner / (bins + 1);
  const most = Math.max(...counts);
  let sum = 0;
  const curve = new Path2D();
  curve.moveTo(LEFT, base);
  counts.forEach((count, i) => {
    context.fillStyle = scaleColour(run.scale.colours, i < bins ? (i + 0.5) / bins : 2);
    const tall = (count / most) * (base - 10);
    context.fillRect(LEFT + i * bar, base - tall, bar - 1, tall);
    sum += count;
    curve.lineTo(LEFT + (i + 1) * bar, base - (sum / errors.length) * (base - 10));
  });
  context.strokeStyle = themed("ink");
  context.lineWidth = 1.6;
  context.stroke(curve);
  context.fillStyle = themed("quiet");
  context.textBaseline = "bottom";
  for (let i = 0; i <= bins; i += 5) {
    context.textAlign = "center";
    context.fillText(`${+((i / bins) * end).toFixed(2)}${i ? "" : " m"}`, LEFT + i * bar, height);
  }
  context.fillText("more", LEFT + (bins + 0.9) * bar + 6, height);
  context.textBaseline = "middle";
  for (const share of [0, 0.5, 1]) {
    const y = base - share * (base - 10);
    context.textAlign = "right";
    context.fillText(`${Math.round((100 * share * most) / errors.length)} %`, LEFT - 5, y);
    context.textAlign = "left";
    context.fillText(`${100 * share} %`, width - 44, y);
  }
  const beyond = ((100 * counts[bins]) / errors.length).toFixed(1);
  canvas.setAttribute("aria-label", `Histogram of ${errors.length} position errors up to ${end} m; ${beyond} % are larger`);
}
