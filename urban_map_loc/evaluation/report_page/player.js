// The moment that is shown, and all that changes it: slider, buttons, keys, tables, diagrams.

class Player {
  constructor(run) {
    this.run = run;
    this.cloud = 0;
    this.playing = false;
    const go = (cloud) => this.go(cloud);
    this.ground = new Ground(run);
    this.tile = new TileView(run, this.ground);
    this.map = new MapView(run, this.ground, go);
    this.band = new StateBand(run, go);
    this.charts = run.charts.map((chart) => new TimeChart(run, go, chart));
    this.slider = document.getElementById("slider");
    this.slider.max = String(run.count - 1);
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.button = document.getElementById("play");
    const press = (id, act) => document.getElementById(id).addEventListener("click", act);
    press("play", () => this.toggle());
    press("back", () => this.go(this.cloud - 1));
    press("forth", () => this.go(this.cloud + 1));
    press("previous-moment", () => this.leap(-1));
    press("next-moment", () => this.leap(1));
    this.tile.overlay.addEventListener("change", () => this.tile.show(this.cloud));
    document.addEventListener("keydown", (event) => this.key(event));
    for (const row of document.querySelectorAll("[data-cloud]")) {
      row.addEventListener("click", () => {
        this.go(Number(row.dataset.cloud));
        document.getElementById("playback").scrollIntoView({ block: "start" });
      });
    }
    this.listMoments();
    const main = document.querySelector("main");
    new ResizeObserver(() => {
      if (main.clientWidth !== this.width) this.resized(); // a longer reason, an opened list change the height alone
    }).observe(main);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.resized();
    this.go(run.first ?? 0);
  }

  // Functions of row and column: wall, free.
  tileAt(cloud) {
    return tileAt(this.run, cloud);
  }

  resized() {
    this.width = document.querySelector("main").clientWidth;
    this.map.resized();
    this.draw();
  }

  draw() {
    this.tile.theme();
    this.map.draw();
    this.band.draw();
    for (const chart of this.charts) chart.draw();
    drawHistogram(this.run);
    this.tile.show(this.cloud);
  }

  go(cloud) {
    this.cloud = Math.min(this.run.count - 1, Math.max(0, Math.round(cloud)));
    this.shown = this.run.clouds.time[this.cloud];
    this.slider.value = String(this.cloud);
    this.map.show(this.cloud);
    this.tile.show(this.cloud);
    for (const chart of this.charts) chart.show(this.cloud);
    this.read();
  }

  read() {
    const { run, cloud } = this;
    const c = run.clouds;
    const state = STATES[c.state[cloud]];
    const chip = document.getElementById("state");
    if (chip.textContent !== state) chip.textContent = state; // it is read aloud when it changes
    chip.className = `chip ${state}`;
    const time = seconds(c.time[cloud]);
    document.getElementById("clock").textContent = `${time}, cloud ${c.number[cloud] + 1}`;
    const reason = run.reasons[c.reason[cloud]] || "";
    document.getElementById("reason").textContent = c.skipped[cloud] ? `cloud skipped: ${reason}` : reason;
    const { list, judged } = hypothesesAt(run, cloud);
    const age = c.time[cloud] - c.time[judged];
    const score = (pose) => (pose && Number.isFinite(pose.score) ? pose.score.toFixed(2) : "–");
    const estimate = poseAt(run, "estimate", cloud);
    const rows = [
      ["position error", metres(c.position[cloud])],
      ["along / across", `${metres(c.longitudinal[cloud])} / ${metres(c.lateral[cloud])}`],
      ["heading error", Number.isFinite(c.heading[cloud]) ? `${c.heading[cloud].toFixed(2)}°` : "–"],
      ["stated 1 sigma", `${metres(Math.sqrt((c.cov_ee[cloud] + c.cov_nn[cloud]) / 2))}, ${Number.isFinite(c.sigma_deg[cloud]) ? `${c.sigma_deg[cloud].toFixed(2)}°` : "–"}`],
      ["this cloud alone", metres(c.single_position[cloud])],
      ["east, north", estimate ? `${estimate.east.toFixed(1)}, ${estimate.north.toFixed(1)} m` : "–"],
      ["hypotheses", list.length ? `${list.length}${age > 0.05 ? `, ${age.toFixed(1)} s old` : ""}` : "–"],
      ["best / next score", `${score(list[0])} / ${score(list[1])}`],
      ["latency", Number.isFinite(c.latency[cloud]) ? `${c.latency[cloud].toFixed(0)} ms` : "–"],
    ];
    document.getElementById("readings").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
    this.slider.setAttribute("aria-valuetext", `${time}, ${state}, position error ${metres(c.position[cloud])}`);
    for (const button of document.getElementById("moments").children) {
      button.setAttribute("aria-current", String(Number(button.dataset.at) === cloud));
    }
    if (!this.playing) this.map.top.setAttribute("aria-label", `Map of the drive at ${time}: ${state}, position error ${metres(c.position[cloud])}`);
  }

  listMoments() {
    const buttons = this.run.moments.map(({ cloud, kind, text }) => {
      const button = element("button", `${seconds(this.run.clouds.time[cloud])}: ${text}`);
      Object.assign(button, { type: "button", className: kind });
      button.dataset.at = cloud;
      button.addEventListener("click", () => this.go(cloud));
      return button;
    });
    document.getElementById("moments").replaceChildren(...buttons);
  }

  leap(direction) {
    const at = this.run.moments.map(({ cloud }) => cloud).filter((cloud) => (cloud - this.cloud) * direction > 0);
    if (at.length) this.go(direction > 0 ? Math.min(...at) : Math.max(...at));
  }

  toggle(playing = !this.playing) {
    this.playing = playing;
    this.button.textContent = playing ? "❚❚ Pause" : "▶ Play";
    this.button.setAttribute("aria-pressed", String(playing));
    if (!playing) return;
    const { time } = this.run.clouds;
    if (this.cloud === this.run.count - 1) this.go(0);
    let last = performance.now();
    const step = (now) => {
      if (!this.playing) return;
      const shown = this.shown + (Math.max(0, now - last) / 1000) * Number(document.getElementById("speed").value);
      last = now;
      const cloud = lastUpTo(time, shown);
      if (cloud !== this.cloud) this.go(cloud);
      this.shown = shown; // `go` set it to the cloud's own time, as it does where somebody moves the slider meanwhile
      if (this.cloud >= this.run.count - 1) this.toggle(false);
      else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || ["SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
    const step = event.shiftKey ? 10 : 1;
    const pressed = ["BUTTON", "SUMMARY"].includes(event.target.tagName) || event.target.type === "checkbox";
    const act = {
      " ": pressed ? null : () => this.toggle(),
      ArrowLeft: () => this.go(this.cloud - step),
      ArrowRight: () => this.go(this.cloud + step),
      Home: () => this.go(0),
      End: () => this.go(this.run.count - 1),
      n: () => this.leap(1),
      p: () => this.leap(-1),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function describeCharts(run) {
  const c = run.clouds;
  const number = (value, digits = 2) => String(+value.toFixed(digits));
  const mark = (kind) => `<span class="mark ${kind}"></span>`;
  const twoSigma = c.cov_ee.map((ee, i) => 2 * Math.sqrt(ee + c.cov_nn[i]));
  return [
    {
      caption: `Position error [m] ${mark("")}error ${mark("band")}stated: twice the root of the summed variances`,
      label: "Position error over time with the stated uncertainty", lines: [{ values: c.position, colour: "curve" }], band: twoSigma, format: number,
    },
    {
      caption: `Along and across the road [m], signed ${mark("")}along ${mark("second")}across (dashed)`,
      label: "Longitudinal and lateral error over time", signed: true, format: number,
      lines: [{ values: c.longitudinal, colour: "curve" }, { values: c.lateral, colour: "second", dashed: true }],
    },
    {
      caption: `Heading error [°], signed ${mark("")}error ${mark("band")}stated 2 sigma`, signed: true, format: number,
      label: "Heading error over time with the stated uncertainty", lines: [{ values: c.heading, colour: "curve" }], band: c.sigma_deg.map((v) => 2 * v),
    },
    { caption: "Cloud to answer [ms]", label: "Latency over time", lines: [{ values: c.latency, colour: "curve" }], format: (v) => v.toFixed(0) },
  ];
}

try {
  const run = await readRun();
  run.charts = describeCharts(run);
  window.report = new Player(run); // for whoever wants to look closer in the browser's console
  document.documentElement.dataset.ready = "true";
} catch (error) {
  const trouble = document.getElementById("trouble");
  trouble.hidden = false;
  trouble.textContent = `The playback does not work in this browser (${error.message}); it needs one of 2023 or newer. Every number below is complete.`;
  throw error;
}
