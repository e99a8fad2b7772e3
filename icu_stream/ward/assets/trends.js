/* Trends of one bed: a stack of charts with one time and one crosshair.
 *
 * Plotly draws them from a course (icu_stream/ward/history.py); it is fetched from this
 * server when the first bed is opened, as it is some megabytes. In each chart stand the least
 * and the greatest value of a step as a bar and its mean as a line; what lies beyond the
 * limits in force is shaded, a gap in the data is a gap, and an alarm is marked from its
 * beginning to its end. Below them are the course of NEWS2 and, as a hint, the model's score,
 * divided by what each signal has in it.
 *
 * The crosshair is a line above all charts; what was there is written beside each of them. It
 * follows the pointer and a finger, and the arrow keys.
 */
"use strict";

window.icuTrends = (() => {
  const PLOTLY = "/_dash-component-suites/plotly/package_data/plotly.min.js";
  const [LEFT, RIGHT, TOP, BOTTOM] = [148, 10, 18, 22]; // px around the charts
  const [HEIGHT, GAP] = [76, 6]; // px of one chart, and between two
  const PRINT_WIDTH = 690; // px: an A4 page without its margins
  const EVERY = { 1: 10, 4: 30, 12: 120, 24: 240 }; // minutes between two times below
  // Charts: signal of the line, colour, least span (UI: auto-scaled noise misleads), and the
  // signals whose least and greatest are the bar.
  const CHARTS = [
    ["hr", "--hr", 20],
    ["spo2", "--spo2", 10],
    ["abp_mean", "--bp", 20, "abp_dia", "abp_sys"],
    ["nibp_mean", "--bp", 20, "nibp_dia", "nibp_sys"],
    ["rr", "--rr", 10],
    ["temp", "--temp", 2],
    ["etco2", "--muted", 10],
    ["cvp", "--muted", 10],
  ];
  const CUFF = "nibp_mean"; // each reading stands for itself: no line between two
  // Ours: the signals' shares of the model's score; greys of the site's parameter colours.
  const SHARES = { hr: "--hr", pulse: "--hr", spo2: "--spo2", rr: "--rr", temp: "--temp" };
  const BANDS = [[5, 7, 0.12], [7, 20, 0.24]]; // CLINICAL: 5 urgent, 7 emergency
  const INK = { "--text": "#000", "--muted": "#444", "--edge": "#999", "--tile": "#fff", "--page": "#fff" };
  const LEVELS = ["", "--low", "--medium", "--high"];
  const PAPER_LEVELS = ["", "#777", "#444", "#000"]; // on paper the marks say which
  const SECONDS = 60000;

  const { say, hhmm, hhmmss, number, value, shown, unit } = window.icuWords;
  const { make } = window.icuCommands;
  const { MARKS } = window.icuAlarm;

  let loading = null;
  let told = null; // what was drawn last: {box, course, bed, hours}
  let charts = [];
  let at = null; // step of the crosshair; null: none
  let isPaper = false;

  function plotly() {
    loading ||= new Promise((then, fail) => {
      const script = make("script");
      script.src = PLOTLY;
      script.onload = () => then(window.Plotly);
      script.onerror = () => {
        loading = null;
        fail(new Error("no Plotly"));
      };
      document.head.append(script);
    });
    return loading;
  }

  const paint = (name) =>
    isPaper ? INK[name] || "#000" : getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const levelPaint = (p) => (isPaper ? PAPER_LEVELS[p] : paint(LEVELS[p]));
  const some = (points) => points.some((point) => point !== null);
  const timeOf = (course, i) => course.start + i * course.step;

  /* What there is to draw, from top to bottom. */
  function found(course) {
    const list = [];
    for (const [code, colour, span, low, high] of CHARTS) {
      const line = course.lines[code];
      if (!line) continue;
      list.push({
        code,
        colour,
        span,
        mean: line.mean,
        low: (course.lines[low] || line).low,
        high: (course.lines[high] || line).high,
        name: window.icuBed.signalName(code),
      });
    }
    if (some(course.news2)) list.push({ code: "news2", name: say("label.news") });
    if (some(course.unusual)) list.push({ code: "unusual", name: `◇ ${say("trend.unusual")}` });
    return list;
  }

  // ---------------------------------------------------------------- drawing

  /* Draw; `bed` is what /beds answered, `box` an element that is ours. */
  async function draw(box, course, bed, hours) {
    const isNew = !told || told.box !== box || told.hours !== hours;
    told = { box, course, bed, hours };
    if (isNew) at = null;
    let Plotly = null;
    try {
      Plotly = await plotly();
    } catch {
      box.replaceChildren(make("p", "quiet", say("trend.no_plotly")));
      return;
    }
    // It was closed meanwhile, or newer ones came.
    if (!told || told.box !== box || told.course !== course) return;
    paintAll(Plotly);
  }

  function paintAll(Plotly) {
    const { box, course, bed, hours } = told;
    charts = found(course);
    if (!charts.length) {
      box.replaceChildren(make("p", "quiet", say("bed.nothing_measured")));
      return;
    }
    if (!box.querySelector(".plot")) mount(box);
    const plot = box.querySelector(".plot");
    const height = TOP + charts.length * (HEIGHT + GAP) - GAP + BOTTOM;
    const width = isPaper ? PRINT_WIDTH : box.clientWidth;
    box.querySelector(".stack").style.height = `${height}px`;
    const end = timeOf(course, course.news2.length);
    const layout = {
      width,
      height,
      margin: { l: LEFT, r: RIGHT, t: TOP, b: BOTTOM },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: paint("--tile"),
      showlegend: false,
      hovermode: false,
      dragmode: false,
      barmode: "stack",
      bargap: 0,
      font: { family: "system-ui, sans-serif", size: 12, color: paint("--muted") },
      xaxis: { range: [course.start, end], ...times(course, end, hours), ...axis(), side: "bottom" },
      shapes: [],
      annotations: [],
    };
    const traces = [];
    charts.forEach((chart, i) => {
      const top = 1 - (i * (HEIGHT + GAP)) / (height - TOP - BOTTOM);
      const n = i === 0 ? "" : i + 1;
      chart.axis = { x: "x", y: `y${n}` };
      layout[`yaxis${n}`] = { domain: [Math.max(0, top - HEIGHT / (height - TOP - BOTTOM)), top], ...axis() };
      const own = layout[`yaxis${n}`];
      if (chart.code === "news2") addNews2(chart, course, own, traces, layout);
      else if (chart.code === "unusual") addUnusual(chart, course, own, traces);
      else addSignal(chart, course, bed, own, traces, layout);
      for (const episode of bed.alarms) addAlarm(chart, episode, course, end, layout);
    });
    layout.xaxis.anchor = charts.at(-1).axis.y;
    Plotly.react(plot, traces, layout, { staticPlot: true, displayModeBar: false, responsive: false });
    label(box);
  }

  const axis = () => ({
    fixedrange: true,
    zeroline: false,
    gridcolor: paint("--edge"),
    linecolor: paint("--edge"),
    tickfont: { size: 12, color: paint("--muted") },
    automargin: false,
  });

  function times(course, end, hours) {
    const every = EVERY[hours] * SECONDS;
    const tickvals = [];
    // Full hours of the ward's own clock, whose zone may be half an hour off.
    const minute = Number(hhmm(course.start).slice(3)) * SECONDS;
    const hour = Number(hhmm(course.start).slice(0, 2)) * 60 * SECONDS;
    const begin = course.start - (course.start % SECONDS) - ((hour + minute) % every);
    for (let t = begin; t < end; t += every) if (t >= course.start) tickvals.push(t);
    return { tickvals, ticktext: tickvals.map(hhmm) };
  }

  function addSignal(chart, course, bed, own, traces, layout) {
    const { code, colour } = chart;
    const x = chart.mean.map((_, i) => timeOf(course, i) + course.step / 2);
    const y = chart.mean.map((point) => (point === null ? null : shown(code, point)));
    const bars = { x: [], y: [] };
    chart.low.forEach((least, i) => {
      const most = chart.high[i];
      if (least === null || most === null) return;
      bars.x.push(x[i], x[i], null);
      bars.y.push(shown(code, least), shown(code, most), null);
    });
    const ink = paint(colour);
    const common = { ...pair(chart), type: "scatter", connectgaps: false };
    const wide = code === CUFF ? 3 : 2;
    traces.push({ ...common, ...bars, mode: "lines", line: { color: ink, width: wide }, opacity: code === CUFF ? 0.8 : 0.4 });
    // A value with a gap on both sides has no line: it is a point.
    const alone = y.map((v, i) => (v !== null && (code === CUFF || (isGap(y, i - 1) && isGap(y, i + 1))) ? v : null));
    if (code !== CUFF) traces.push({ ...common, x, y, mode: "lines", line: { color: ink, width: 1.8 } });
    if (some(alone)) traces.push({ ...common, x, y: alone, mode: "markers", marker: { color: ink, size: 5 } });

    const [lowest, highest] = limitsOf(bed, code);
    const all = bars.y.concat(y).filter((v) => v !== null);
    for (const limit of [lowest, highest]) if (limit !== null) all.push(limit);
    let [low, high] = [Math.min(...all), Math.max(...all)];
    const span = Math.abs(shown(code, chart.span) - shown(code, 0));
    const spare = Math.max(0, span - (high - low)) / 2 + (high - low) * 0.12;
    [low, high] = [low - spare, high + spare];
    own.range = [low, high];
    const marks = [lowest, highest].filter((limit) => limit !== null);
    own.tickvals = marks.length ? marks : [(low + high) / 2];
    own.ticktext = own.tickvals.map((v) => number(v, 1));
    if (highest !== null) shade(layout, chart, highest, high);
    if (lowest !== null) shade(layout, chart, low, lowest);
  }

  const isGap = (y, i) => i < 0 || i >= y.length || y[i] === null;
  const pair = (chart) => ({ xaxis: "x", yaxis: chart.axis.y, hoverinfo: "skip" });

  /* The limits next to the middle; a zero's is none. */
  function limitsOf(bed, code) {
    const list = bed.limits.filter((limit) => limit.g === code);
    const of = (sign) => list.filter((l) => l.sign === sign).map((l) => shown(code, l.limit));
    const [lows, highs] = [of("<"), of(">")];
    return [lows.length ? Math.max(...lows) : null, highs.length ? Math.min(...highs) : null];
  }

  function shade(layout, chart, from, to, strength = 0.35) {
    layout.shapes.push({
      type: "rect",
      layer: "below",
      xref: "paper",
      x0: 0,
      x1: 1,
      yref: chart.axis.y,
      y0: from,
      y1: to,
      line: { width: 0 },
      fillcolor: isPaper ? "#bbb" : paint("--muted"),
      opacity: strength,
    });
  }

  function addNews2(chart, course, own, traces, layout) {
    const x = course.news2.map((_, i) => timeOf(course, i));
    const ink = paint("--text");
    traces.push({
      ...pair(chart),
      x,
      y: course.news2,
      type: "scatter",
      mode: "lines",
      connectgaps: false,
      line: { color: ink, width: 2, shape: "hv" },
    });
    // "At least": an input was missing.
    const partial = course.news2.map((n, i) => (n !== null && course.complete[i] < 7 ? n : null));
    if (some(partial))
      traces.push({ ...pair(chart), x, y: partial, type: "scatter", mode: "markers", marker: { color: ink, size: 4, symbol: "triangle-up" } });
    const top = Math.max(9, ...course.news2.filter((n) => n !== null)) + 1;
    own.range = [-0.5, top];
    own.tickvals = [0, 5, 7];
    for (const [from, to, strength] of BANDS) shade(layout, chart, from, Math.min(to, top), strength);
  }

  function addUnusual(chart, course, own, traces) {
    const x = course.unusual.map((_, i) => timeOf(course, i) + course.step / 2);
    Object.entries(course.shares).forEach(([code, shares], i) => {
      const greys = [0.85, 0.65, 0.5, 0.35];
      const ink = paint(SHARES[code] || (/bp_/.test(code) ? "--bp" : "--muted"));
      traces.push({
        ...pair(chart),
        x,
        y: shares.map((share, k) => (share === null ? null : share * course.unusual[k])),
        type: "bar",
        width: course.step,
        marker: { color: isPaper ? "#000" : ink, line: { width: 0 } },
        opacity: isPaper ? greys[i % greys.length] : /sys|dia|pulse/.test(code) ? 0.6 : 0.85,
      });
    });
    own.range = [0, 1];
    own.tickvals = [0, 1];
  }

  /* An alarm: a bar above its chart from its beginning to its end, and its mark. */
  function addAlarm(chart, episode, course, end, layout) {
    if (!isOf(chart, episode)) return;
    const until = Math.min(episode.end === null ? end : episode.end, end);
    if (until < course.start || episode.o > end) return;
    const from = Math.max(episode.o, course.start);
    const yref = `${chart.axis.y} domain`;
    const ink = episode.k === "advisory" ? paint("--muted") : levelPaint(episode.p);
    layout.shapes.push({
      type: "rect", xref: "x", x0: from, x1: Math.max(until, from + course.step), yref, y0: 0.94, y1: 1, line: { width: 0 }, fillcolor: ink,
    });
    layout.annotations.push({
      xref: "x", x: from, yref, y: 0.94, text: `<b>${episode.k === "advisory" ? "◇" : MARKS[episode.p]}</b>`, showarrow: false,
      xanchor: "left", yanchor: "top", font: { size: 12, color: paint("--text") }, borderpad: 0,
    });
  }

  function isOf(chart, episode) {
    if (episode.c === "bed.unusual") return chart.code === "unusual";
    if (episode.c.startsWith("bed.news2")) return chart.code === "news2";
    const code = episode.g || "";
    const family = chart.code.replace("_mean", "_");
    if (/^(n?ibp|abp)_/.test(code)) return code.startsWith(family) && chart.code.endsWith("_mean");
    return code === chart.code || (code === "pulse" && chart.code === "hr");
  }

  // ---------------------------------------------------------------- crosshair

  function mount(box) {
    const line = make("div", "cross");
    const time = make("span", "time");
    line.append(time);
    const labels = make("div", "labels");
    const stack = make("div", "stack", make("div", "plot"), labels, line);
    stack.tabIndex = 0;
    stack.setAttribute("role", "slider");
    stack.setAttribute("aria-orientation", "horizontal");
    stack.setAttribute("aria-valuemin", "0");
    stack.onpointermove = stack.onpointerdown = (event) => {
      const { left } = stack.getBoundingClientRect();
      const { course } = told;
      const count = course.news2.length;
      const room = stack.clientWidth - LEFT - RIGHT;
      const step = Math.floor(((event.clientX - left - LEFT) / room) * count);
      go(step >= 0 && step < count ? step : null);
    };
    stack.onpointerleave = () => go(null);
    stack.onkeydown = (event) => {
      const last = told.course.news2.length - 1;
      const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -15, PageUp: 15 }[event.key];
      if (by) go(Math.min(last, Math.max(0, (at ?? last) + by)));
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(last);
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    stack.onblur = () => go(null);
    box.replaceChildren(stack, make("p", "quiet", say("trend.legend")));
  }

  function go(step) {
    if (!told) return; // the bed was closed
    at = step;
    label(told.box);
  }

  /* What stands beside each chart: the value at the crosshair, else the one of now. */
  function label(box = told && told.box) {
    if (!told) return;
    const { course, hours } = told;
    const stack = box.querySelector(".stack");
    if (!stack) return;
    const labels = stack.querySelector(".labels");
    const count = course.news2.length;
    const said = charts.map((chart) => [chart, valueAt(chart, course)]);
    if (labels.childElementCount !== charts.length)
      labels.replaceChildren(...charts.map(() => make("div", "", make("b", ""), make("span", ""), make("small", ""))));
    said.forEach(([chart, [main, more]], i) => {
      const [name, text, small] = labels.children[i].children;
      labels.children[i].style.top = `${TOP + i * (HEIGHT + GAP)}px`;
      labels.children[i].style.color = chart.colour && !isPaper ? `var(${chart.colour})` : "";
      name.textContent = chart.name;
      text.textContent = main;
      small.textContent = more;
    });
    const line = stack.querySelector(".cross");
    line.hidden = at === null;
    stack.setAttribute("aria-valuemax", String(count - 1));
    stack.setAttribute("aria-valuenow", String(at ?? count - 1));
    stack.setAttribute("aria-label", say("trend.label", { hours }));
    const when = at === null ? hhmm(timeOf(course, count)) : timeText(course);
    const texts = said.map(([chart, [main, more]]) => `${chart.name} ${main} ${more}`.trim());
    stack.setAttribute("aria-valuetext", [when, ...texts].join(", "));
    if (at === null) return;
    const room = stack.clientWidth - LEFT - RIGHT;
    const x = LEFT + ((at + 0.5) / count) * room;
    line.style.left = `${x}px`;
    const time = line.querySelector(".time");
    time.textContent = timeText(course);
    time.className = x > stack.clientWidth / 2 ? "time before" : "time";
  }

  const timeText = (course) =>
    course.step < SECONDS ? hhmmss(timeOf(course, at)) : `${hhmm(timeOf(course, at))}–${hhmm(timeOf(course, at + 1))}`;

  /* The value of a chart at the crosshair, and its least and greatest; nothing is filled in.
   * Without a crosshair it is what came in this step or the last: an older one never stands
   * for it, and none does without a connection. */
  function valueAt(chart, course) {
    const { code } = chart;
    if (code === "news2") {
      const i = at ?? now(course.news2);
      if (i < 0 || course.news2[i] === null) return ["–", ""];
      const mark = course.complete[i] < 7 ? "≥" : "";
      return [`${mark}${course.news2[i]}`, `${course.complete[i]}/7`];
    }
    if (code === "unusual") {
      const i = at ?? now(course.unusual);
      if (i < 0 || course.unusual[i] === null) return ["–", ""];
      const shares = Object.entries(course.shares)
        .filter(([, points]) => points[i])
        .sort((a, b) => b[1][i] - a[1][i])
        .slice(0, 2)
        .map(([name, points]) => `${window.icuBed.signalName(name)} ${number(100 * points[i], 0)} %`);
      return [number(course.unusual[i], 2), shares.join(" ")];
    }
    const i = at ?? now(chart.mean);
    if (i < 0 || chart.mean[i] === null) return ["–", ""];
    const [least, mean, most] = [chart.low[i], chart.mean[i], chart.high[i]].map((x) => value(code, x));
    return [`${mean} ${unit(code)}`, least === most ? "" : `${least}–${most}`];
  }

  function now(points) {
    const last = points.findLastIndex((point) => point !== null);
    return window.icuWard.isLost() || last < points.length - 2 ? -1 : last;
  }

  // ---------------------------------------------------------------- theme, size, paper

  function again() {
    if (told && told.box.isConnected && window.Plotly) paintAll(window.Plotly);
  }

  function forget() {
    told = null;
    at = null;
  }

  const paper = window.matchMedia("print");
  const toPaper = (is) => {
    isPaper = is;
    again();
  };
  paper.addEventListener("change", ({ matches }) => toPaper(matches));
  window.addEventListener("beforeprint", () => toPaper(true));
  window.addEventListener("afterprint", () => toPaper(paper.matches));
  window.addEventListener("resize", again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  return { draw, forget, label: () => label() };
})();
