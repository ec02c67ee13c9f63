// Colours, canvases that are sharp on every screen, and numbers as text.

function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// Fits a canvas's pixels to its size on the screen; the context then draws in CSS pixels.
function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Colour of a share from 0 to 1 between the anchors; beyond 1 the last one, which stands for "more".
function scaleColour(anchors, share) {
  const last = anchors.length - 2;
  if (share > 1) return anchors[anchors.length - 1];
  const at = Math.max(0, share) * last;
  const k = Math.min(last - 1, Math.floor(at));
  const [a, b] = [channels(anchors[k]), channels(anchors[k + 1])];
  return `rgb(${a.map((v, i) => Math.round(v + (b[i] - v) * (at - k))).join(",")})`;
}

function metres(value, digits = 2) {
  return Number.isFinite(value) ? `${value.toFixed(digits)} m` : "–";
}

function seconds(value) {
  return Number.isFinite(value) ? `${value.toFixed(1)} s` : "–";
}

// A round number not below the value: 1, 2, 5 times a power of ten.
function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((f) => f * power).find((v) => v >= value * 0.999999);
}

function finite(values) {
  return Array.from(values).filter(Number.isFinite);
}

function quantile(values, share) {
  const sorted = finite(values).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : NaN;
}
