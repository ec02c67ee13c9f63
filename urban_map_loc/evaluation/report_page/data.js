// The run's numbers, out of the page: columns of 32-bit differences, compressed and in base64. No network, no library.

const UNKNOWN = -2147483648;
const STATES = ["initializing", "locked", "lost"];

async function inflate(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Whole numbers times their step; NaN where unknown.
async function column({ step, data }) {
  const bytes = await inflate(data);
  const differences = new Int32Array(bytes.buffer, 0, bytes.byteLength / 4);
  const values = new Float64Array(differences.length);
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) {
    sum = (sum + differences[i]) | 0;
    values[i] = sum === UNKNOWN ? NaN : sum * step;
  }
  return values;
}

async function columns(table) {
  const names = Object.keys(table);
  const values = await Promise.all(names.map((name) => column(table[name])));
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
}

async function readRun() {
  const raw = JSON.parse(document.getElementById("run").textContent);
  const run = { ...raw, clouds: await columns(raw.clouds), hypotheses: await columns(raw.hypotheses) };
  run.count = run.clouds.time.length;
  run.buildings = await columns(raw.buildings);
  run.roads = await columns(raw.roads);
  run.tiles = raw.tiles && { ...raw.tiles, of: await column(raw.tiles.of), bits: await inflate(raw.tiles.bits) };
  return run;
}

// Index of the last of the rising values that is not above the goal; -1 where all are.
function lastUpTo(values, goal) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= goal) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The tile's pixels that are set, as a function of row and column; null where there is no tile up to this cloud.
function tileAt(run, cloud) {
  if (!run.tiles) return null;
  const which = lastUpTo(run.tiles.of, cloud);
  if (which < 0) return null;
  const { size, bits } = run.tiles;
  const planeBits = size * size;
  const start = which * Math.ceil((2 * planeBits) / 8);
  const bit = (index) => (bits[start + (index >> 3)] >> (7 - (index & 7))) & 1;
  return {
    cloud: run.tiles.of[which],
    wall: (row, col) => bit(row * size + col),
    free: (row, col) => bit(planeBits + row * size + col),
  };
}

// The hypotheses at a cloud, best first, and the cloud at which they were judged.
function hypothesesAt(run, cloud) {
  const { begin, east, north, yaw, score, judged } = run.hypotheses;
  const set = run.clouds.hypotheses[cloud];
  const out = [];
  for (let i = begin[set]; i < begin[set + 1]; i += 1) out.push({ east: east[i], north: north[i], yaw: yaw[i], score: score[i] });
  return { list: out, judged: judged[set] };
}

function poseAt(run, kind, cloud) {
  const c = run.clouds;
  const pose = { east: c[`${kind}_east`][cloud], north: c[`${kind}_north`][cloud], yaw: c[`${kind}_yaw`][cloud] };
  return Number.isNaN(pose.east) ? null : pose;
}
