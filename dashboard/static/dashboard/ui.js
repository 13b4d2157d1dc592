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
    role: swatch.dataset.role,
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
      `${data.names[at + 1]} ${column[index] == null ? "no value" : COMMAS.format(column[index])}`)
      .filter((_, at) => data.lines[at].role !== "quiet");
    line.textContent = `${data.names[0]} ${shown(figure, data.columns[0][index])}: ${values.join(" · ")}`;
  }, 150);
}

const MARK_LEVELS = 3;
const MARK_HEIGHT = 14;
const LETTER = 6.8;

// Texts stand above the plot; one that would run into its neighbour moves a line up.
function placeMarks(marks, across, width) {
  const ends = [];
  return [...marks].sort((one, other) => one.x - other.x).map((mark) => {
    const long = LETTER * mark.text.length;
    const x = across(mark.x);
    const left = Math.min(Math.max(x - long / 2, 0), Math.max(width - long, 0));
    let level = 0;
    while (level < MARK_LEVELS - 1 && left < (ends[level] ?? -Infinity)) level += 1;
    ends[level] = left + long + 8;
    return { ...mark, x, left, level };
  });
}

function drawMarks(plot, marks, ink, font) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const width = bbox.width / ratio;
  ctx.save();
  Object.assign(ctx, { strokeStyle: ink, fillStyle: ink, font: `600 ${11 * ratio}px ${font}`, lineWidth: ratio, textAlign: "left", textBaseline: "alphabetic" });
  ctx.setLineDash([4 * ratio, 3 * ratio]);
  for (const mark of placeMarks(marks, (x) => plot.valToPos(x, "x"), width)) {
    if (!(mark.x >= -1 && mark.x <= width + 1)) continue;
    const x = bbox.left + mark.x * ratio;
    const y = bbox.top - (5 + MARK_HEIGHT * mark.level) * ratio;
    ctx.beginPath();
    ctx.moveTo(x, y + 2 * ratio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(mark.text, bbox.left + mark.left * ratio, y);
  }
  ctx.restore();
}

// How much room the texts will need, before there is a plot to ask.
function markRoom(marks, xs, width, isLog) {
  const put = isLog ? Math.log : (x) => x;
  const low = put(xs[0]);
  const span = put(xs[xs.length - 1]) - low || 1;
  const levels = placeMarks(marks, (x) => (width * (put(x) - low)) / span, width).map((mark) => mark.level);
  return marks.length ? MARK_HEIGHT * (1 + Math.max(...levels)) : 0;
}

// The band lies between the two edges, in the tint of its swatch in the legend.
function bandsOf(figure, lines) {
  const edges = lines.flatMap((line, at) => (line.role === "edge" ? [at + 1] : []));
  const fill = edges.length === 2 && getComputedStyle(figure.querySelector(".legend .swatch")).backgroundColor;
  return fill ? [{ series: [edges[1], edges[0]], fill }] : [];
}

// A log axis names powers of ten alone, and of many of them every second, third, ...
function powersOfTen(plot, ticks, axis) {
  const powers = ticks.map((tick) => Math.log10(tick)).map((power) => Math.abs(power - Math.round(power)) < 1e-6 ? Math.round(power) : null);
  const known = powers.filter((power) => power !== null);
  const room = axis === 0 ? (plot.width - 80) / 56 : (plot.height - 50) / 22;
  const every = Math.max(1, Math.ceil(known.length / Math.max(room, 1)));
  return ticks.map((tick, at) => powers[at] !== null && powers[at] % every === 0 ? tick : null);
}

// The data need not begin at a power of ten, where the library would look for its ticks.
const decades = (_, __, low, high) => {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const count = Math.max(0, Math.floor(Math.log10(high) + 1e-9) - first + 1);
  return Array.from({ length: count }, (___, at) => Number(`1e${first + at}`));
};

// A line that never changes lies in the middle, and its axis does not run away from it.
const around = (_, low, high) => low === high ? [low - (Math.abs(low) || 1) / 20, high + (Math.abs(high) || 1) / 20] : window.uPlot.rangeNum(low, high, 0.1, true);

// As many decimals as tell neighbouring ticks apart.
function decimals(_, ticks, __, ___, step) {
  let digits = 0;
  while (digits < 10 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits += 1;
  return ticks.map((tick) => tick.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "\u2212"));
}

const POWERS = {
  filter: powersOfTen,
  values: (_, ticks) => ticks.map((tick) => tick == null ? null : tick < 1e-3 || tick > 1e5 ? tick.toExponential(0).replace("-", "\u2212") : COMMAS.format(tick)),
};

function options(figure, box, data) {
  const [text, muted, grid, surface] = ["--text", "--muted", "--hairline", "--surface"].map((name) => colour(figure, name));
  const font = getComputedStyle(figure).fontFamily;
  const { scale, xKind, xScale } = figure.dataset;
  const whole = xKind === "number" && data.columns[0].every(Number.isInteger);
  const few = data.columns[0].length < 40;
  const axis = { stroke: muted, font: `11px ${font}`, ticks: { show: false }, grid: { stroke: grid, width: 1 } };
  const y = scale === "log" ? { distr: 3 } : scale === "zero" ? { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.06 : 1] } : { range: around };
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    legend: { show: false },
    padding: [10 + markRoom(data.marks, data.columns[0], box.clientWidth - 80, xScale === "log"), 26, 0, xKind === "time" ? 14 : 0],
    bands: bandsOf(figure, data.lines),
    cursor: { y: false, points: { size: 7, fill: surface }, drag: { x: true, y: false } },
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), figure.dataset.zone),
    scales: { x: { time: xKind === "time", ...(xScale === "log" ? { distr: 3, range: (_, low, high) => [low, high] } : {}) }, y },
    axes: [
      {
        ...axis, grid: { show: false }, size: 26, space: whole ? 48 : 90,
        ...(whole ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 1e5, 1e6] } : {}),
        ...(xScale === "log" ? { ...POWERS, splits: decades } : { values: (_, ticks, __, ___, step) => xKind === "time" ? timeLabels(figure, ticks, step) : ticks.map((tick) => COMMAS.format(tick)) }),
      },
      { ...axis, ...(scale === "log" ? POWERS : { values: decimals }), size: (plot, labels) => 14 + 6.5 * Math.max(3, ...(labels || []).map((label) => (label || "").length)), space: 40, grid: { ...axis.grid, ...(scale === "log" ? { filter: powersOfTen } : {}) } },
    ],
    series: [{}, ...data.lines.map(({ role, stroke, dash }) => ({
      stroke, dash, width: { line: 1.75, edge: 0, quiet: 1 }[role], spanGaps: false,
      points: { show: few && role === "line" && data.lines.length < 4, size: 5, fill: surface },
    }))],
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
