// What pages gain from scripts: copy, theme, selection, live parts, line charts. Every page works without it.

const each = (root, selector, use) => {
  if (root.matches?.(selector)) use(root);
  root.querySelectorAll(selector).forEach(use);
};

// --- copy -----------------------------------------------------------------------------------

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.getAttribute("aria-label");
  button.dataset.copied = "";
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    delete button.dataset.copied;
    button.setAttribute("aria-label", label);
  }, 1500);
}

// --- theme ----------------------------------------------------------------------------------

function chooseTheme(theme) {
  const age = theme === "system" ? 0 : 31536000;
  document.cookie = `raisin_theme=${theme}; path=/; max-age=${age}; samesite=lax`;
  if (age) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  each(document, "[data-theme-form] button", (button) =>
    button.setAttribute("aria-pressed", button.value === theme));
  redrawAll();
}

// --- selection of 2 to 6 rows ----------------------------------------------------------------

function countSelection(form) {
  const [least, most] = form.dataset.select.split("-").map(Number);
  const chosen = form.querySelectorAll("input.select:checked").length;
  const bar = form.querySelector(".selectbar");
  const fits = chosen >= least && chosen <= most;
  bar.dataset.count = chosen;
  bar.querySelector("[data-select-count]").textContent =
    chosen === 0 ? `Select ${least} to ${most} runs to compare`
    : chosen < least ? `${chosen} selected, ${least - chosen} more to compare`
    : chosen > most ? `${chosen} selected, at most ${most} can be compared`
    : `${chosen} selected`;
  bar.querySelector(".button-primary").setAttribute("aria-disabled", String(!fits));
}

// --- live parts ------------------------------------------------------------------------------

const pausedByHand = new WeakSet();
const lastText = new WeakMap();

function mayRefresh(part) {
  const selection = document.getSelection();
  const reading = selection && !selection.isCollapsed && selection.containsNode(part, true);
  const body = part.querySelector(".live-body");
  return !document.hidden && !reading && !pausedByHand.has(part) && !body.contains(document.activeElement)
    && !body.querySelector(":hover > .u-over, .table-scroll:hover");
}

function startLive(part) {
  if (part.dataset.liveStarted) return;
  part.dataset.liveStarted = "1";
  const timer = setInterval(() => {
    if (!part.isConnected) clearInterval(timer);
    else if (mayRefresh(part)) refresh(part);
  }, 1000 * Math.max(2, Number(part.dataset.live)));
}

function refresh(part) {
  window.htmx?.trigger(part, "refresh");
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.elt.closest?.("[data-live]");
  if (!part || !event.detail.shouldSwap) return;
  const text = event.detail.xhr.responseText;
  // An unchanged answer is not swapped, so open details, scroll and charts stay as they are.
  if (lastText.get(part) === text) event.detail.shouldSwap = false;
  lastText.set(part, text);
  const stamp = part.querySelector("[data-live-stamp]");
  if (stamp) stamp.textContent = new Date().toLocaleTimeString("en-GB");
});
document.addEventListener("htmx:afterSwap", (event) => {
  dropSwappedOut();
  start(event.detail.target);
});

// --- line charts: the numbers come from the data table below the plot --------------------------

const charts = new Map();
const loading = new Map();
const COMMAS = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 6 });

const number = (cell) => {
  const time = cell.querySelector("time");
  if (time) return Date.parse(time.dateTime) / 1000;
  const value = parseFloat(cell.textContent.replace("\u2212", "-").replace("e\u2212", "e-"));
  return Number.isNaN(value) ? null : value;
};

function load(figure) {
  const { library, style } = figure.dataset;
  if (!loading.has(library)) {
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: style });
    const script = Object.assign(document.createElement("script"), { src: library });
    const ready = (node) => new Promise((done, fail) => { node.onload = done; node.onerror = fail; });
    loading.set(library, Promise.all([ready(sheet), ready(script)]));
    document.head.prepend(sheet);
    document.head.append(script);
  }
  return loading.get(library);
}

function read(figure) {
  const rows = [...figure.querySelectorAll(".chart-data tbody tr")].map((row) => [...row.cells].map(number));
  const names = [...figure.querySelectorAll(".chart-data thead th")].map((cell) => cell.textContent);
  const lines = [...figure.querySelectorAll(".legend svg")].map((swatch) => ({
    stroke: getComputedStyle(swatch).color,
    dash: (swatch.firstElementChild.getAttribute("stroke-dasharray") || "").split(" ").filter(Boolean).map(Number),
  }));
  const marks = [...figure.querySelectorAll(".chart-marks li")].map((item) => ({
    x: number(item.querySelector("time") ? item : item.querySelector("[data-x]")),
    text: item.querySelector("[data-mark]").textContent,
  }));
  return { names, lines, marks, columns: names.map((_, column) => rows.map((row) => row[column])) };
}

const colour = (figure, name) => {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  figure.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};

const clock = (figure, seconds, parts) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: figure.dataset.zone, ...parts }).format(seconds * 1000);
const DAY = { day: "numeric", month: "short" };
const TIME = { hour: "2-digit", minute: "2-digit" };

const shown = (figure, value) =>
  figure.dataset.xKind === "time" ? clock(figure, value, { ...DAY, ...TIME }) : COMMAS.format(value);

function timeLabels(figure, ticks, step) {
  let lastDay = "";
  return ticks.map((tick) => {
    const day = clock(figure, tick, DAY);
    const label = step >= 86400 ? day : day === lastDay ? clock(figure, tick, TIME) : `${day}, ${clock(figure, tick, TIME)}`;
    lastDay = day;
    return label;
  });
}

function say(figure, data, index) {
  const line = figure.querySelector(".chart-reader");
  clearTimeout(figure.sayTimer);
  figure.sayTimer = setTimeout(() => {
    if (index == null) { line.textContent = ""; return; }
    const values = data.columns.slice(1).map((column, at) =>
      `${data.names[at + 1]} ${column[index] == null ? "no value" : COMMAS.format(column[index])}`);
    line.textContent = `${data.names[0]} ${shown(figure, data.columns[0][index])}: ${values.join(" · ")}`;
  }, 150);
}

function drawMarks(plot, marks, ink, font) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  Object.assign(ctx, { strokeStyle: ink, fillStyle: ink, font: `600 ${11 * ratio}px ${font}`, lineWidth: ratio });
  ctx.setLineDash([4 * ratio, 3 * ratio]);
  for (const mark of marks) {
    const x = plot.valToPos(mark.x, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const right = x > bbox.left + bbox.width * 0.75;
    ctx.textAlign = right ? "right" : "left";
    ctx.fillText(mark.text, x + (right ? -5 : 5) * ratio, bbox.top + 10 * ratio);
  }
  ctx.restore();
}

const powersOfTen = (_, ticks) => ticks.map((tick) => Number.isInteger(+Math.log10(tick).toFixed(6)) ? tick : null);
const POWERS = {
  filter: powersOfTen,
  values: (_, ticks) => ticks.map((tick) => tick == null ? null : tick < 1e-3 || tick > 1e5 ? tick.toExponential(0).replace("-", "\u2212") : COMMAS.format(tick)),
};

function options(figure, box, data) {
  const [text, muted, grid, surface] = ["--text", "--muted", "--hairline", "--surface"].map((name) => colour(figure, name));
  const font = getComputedStyle(figure).fontFamily;
  const { scale, xKind } = figure.dataset;
  const few = data.columns[0].length < 40;
  const axis = { stroke: muted, font: `11px ${font}`, ticks: { show: false }, grid: { stroke: grid, width: 1 } };
  const y = scale === "log" ? { distr: 3 } : scale === "zero" ? { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.06 : 1] } : {};
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    legend: { show: false },
    padding: [data.marks.length ? 20 : 10, 26, 0, xKind === "time" ? 14 : 0],
    cursor: { y: false, points: { size: 7, fill: surface }, drag: { x: true, y: false } },
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), figure.dataset.zone),
    scales: { x: { time: xKind === "time" }, y },
    axes: [
      {
        ...axis, grid: { show: false }, size: 26, space: 90,
        values: (_, ticks, __, ___, step) => xKind === "time" ? timeLabels(figure, ticks, step) : ticks.map((tick) => COMMAS.format(tick)),
      },
      { ...axis, ...(scale === "log" ? POWERS : {}), size: (plot, labels) => 14 + 6.5 * Math.max(3, ...(labels || []).map((label) => (label || "").length)), space: 40, grid: { ...axis.grid, ...(scale === "log" ? { filter: powersOfTen } : {}) } },
    ],
    series: [{}, ...data.lines.map((line) => ({ ...line, width: 1.75, spanGaps: false, points: { show: few && data.lines.length < 3, size: 5, fill: surface } }))],
    hooks: {
      draw: [(plot) => drawMarks(plot, data.marks, text, font)],
      setCursor: [(plot) => say(figure, data, plot.cursor.idx)],
    },
  };
}

function draw(figure) {
  const box = figure.querySelector(".chart-plot");
  const data = read(figure);
  charts.get(figure)?.destroy();
  if (!data.columns[0].length || !box.clientWidth) return;
  charts.set(figure, new window.uPlot(options(figure, box, data), data.columns, box));
}

function readByKey(figure, event) {
  const plot = charts.get(figure);
  const last = plot ? plot.data[0].length - 1 : -1;
  const from = plot?.cursor.idx;
  const to = { ArrowRight: from == null ? 0 : from + 1, ArrowLeft: from == null ? last : from - 1, Home: 0, End: last }[event.key];
  if (last < 0 || to === undefined) return;
  event.preventDefault();
  const index = Math.min(Math.max(to, 0), last);
  plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: 10 });
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const plot = charts.get(target.closest("figure"));
    if (!plot) draw(target.closest("figure"));
    else if (plot.width !== target.clientWidth) plot.setSize({ width: target.clientWidth, height: target.clientHeight });
  }
});

async function startChart(figure) {
  await load(figure);
  const box = figure.querySelector(".chart-plot");
  box.addEventListener("keydown", (event) => readByKey(figure, event));
  box.addEventListener("blur", () => say(figure, null, null));
  resized.observe(box);
}

function dropSwappedOut() {
  for (const [figure, plot] of charts) {
    if (figure.isConnected) continue;
    resized.unobserve(figure.querySelector(".chart-plot"));
    plot.destroy();
    charts.delete(figure);
  }
}

function redrawAll() {
  dropSwappedOut();
  for (const figure of charts.keys()) draw(figure);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

// --- wiring ------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy], [data-live-refresh], [data-live-pause], [aria-disabled='true'], [data-theme-form] button");
  each(document, "[data-menu][open]", (menu) => { if (!menu.contains(event.target)) menu.open = false; });
  if (!target) return;
  const part = target.closest("[data-live]");
  if (target.matches("[aria-disabled='true']")) event.preventDefault();
  else if (target.matches("[data-copy]")) copy(target);
  else if (target.matches("[data-theme-form] button")) { event.preventDefault(); chooseTheme(target.value); }
  else if (target.matches("[data-live-refresh]") && window.htmx) { event.preventDefault(); refresh(part); }
  else if (target.matches("[data-live-pause]")) {
    const paused = !pausedByHand.delete(part);
    if (paused) pausedByHand.add(part);
    target.setAttribute("aria-pressed", paused);
    target.textContent = paused ? "Resume updates" : "Pause updates";
  }
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-select]");
  if (form) countSelection(form);
});

document.addEventListener("reset", (event) => {
  if (event.target.matches("form[data-select]")) setTimeout(() => countSelection(event.target));
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("[data-menu][open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); return; }
  const typing = event.target.closest("input, select, textarea, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("[data-search]");
  if (search?.offsetParent) { event.preventDefault(); search.focus(); }
});

function start(root) {
  each(root, "form[data-select]", countSelection);
  each(root, "[data-live]", startLive);
  each(root, "figure[data-chart='lines']", startChart);
  each(root, "[data-focus-here]", (summary) => summary.focus());
}

start(document);
window.addEventListener("pageshow", () => each(document, "form[data-select]", countSelection));
