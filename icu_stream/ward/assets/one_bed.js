/* One bed, beside the ward: numbers, alarms and why, trends, NEWS2, limits, commands.
 *
 * Numbers, alarms and the pause are drawn from the frames, as the tiles are. The rest is
 * fetched from /beds when the frames say that it changed, and each ten seconds; it is what
 * this view has seen itself, and the page says since when. The list "Needs attention" stays
 * beside it, so that no other bed's alarm is hidden.
 *
 * What a person may have in hand (focus, an opened alarm, a half-written reason) is left
 * alone: only a part whose content changed is drawn anew.
 */
"use strict";

window.icuBed = (() => {
  const ASKS = window.icuCommands;
  const FETCH_MS = 10000;
  const LEAST_MS = 500; // between two fetches
  const HOURS = [1, 2, 4];
  const PAUSE_S = 120; // UI, pause: 2 min; less where the profile allows less
  const OTHER = "other";
  // Ours: why alarms are paused at a bedside; anything else is written.
  const REASONS = ["care at the bedside", "suction", "blood sampling", "line or sensor change"];
  const HISTORY = 30; // ended alarms that are listed

  // Trends: signal, label, colour, least span (UI: auto-scaled noise misleads).
  const TRENDS = [
    ["hr", "HR", "--hr", 20],
    ["spo2", "SpO₂", "--spo2", 10],
    ["abp_mean", "MAP", "--bp", 20],
    ["nibp_mean", "NIBP mean", "--bp", 20],
    ["rr", "RR", "--rr", 10],
    ["temp", "Temp", "--temp", 2],
  ];
  const LEFT = 34; // px for the scale
  const EVENTS = {
    raised: "began",
    escalated: "rose in priority",
    worsened: "grew worse",
    reminded: "reminder",
    acknowledged: "acknowledged",
    latched: "ended, not acknowledged",
    cleared: "ended",
  };

  const W = () => window.icuWard;
  let id = null; // of the row that is shown
  let place = null; // the #bed that it is drawn in
  let parts = null;
  let row = null;
  let lost = false;
  let serverTime = 0;
  let data = null; // of the last fetch
  let hours = 1;
  let fetchedAt = 0;
  let isFetching = false;
  let isWanted = false; // once more, when this fetch is done
  let isStale = false; // the last fetch failed
  const blocks = new Map(); // alarm -> {box, key}

  // ---------------------------------------------------------------- frames

  function draw(newRow, now) {
    const box = document.getElementById("bed");
    if (!box || !newRow) return;
    ({ lost, serverTime } = now);
    const isNew = newRow.i !== id || box !== place;
    row = newRow;
    if (isNew) begin(box);
    drawHead();
    drawPause();
    drawNumbers();
    drawAlarms();
    if (lost && !isStale) {
      isStale = true;
      drawSince();
    }
    const { change } = now;
    const isNews = change && ["al", "h", "n", "z"].some((field) => field in change);
    if (!lost && (isNew || isNews || performance.now() - fetchedAt > FETCH_MS)) load();
  }

  function begin(box) {
    const { make } = W();
    id = row.i;
    place = box;
    data = null;
    fetchedAt = 0;
    blocks.clear();
    const section = (name, title) => {
      const inside = make("div", "in");
      const outer = make("section", name, make("h3", "", title), inside);
      return [outer, inside];
    };
    const close = ASKS.button("✕ Back", () => W().closeBed());
    close.className = "close";
    const title = make("h2", "");
    const news = make("span", "news");
    const head = make("div", "head", title, news, close);
    const numbers = make("div", "numbers");
    const pause = make("div", "pausing");
    const [alarmsBox, alarms] = section("alarms", "Alarms");
    const [historyBox, history] = section("history", "Ended");
    const [trendBox, trend] = section("trends", "Trend");
    const [newsBox, chart] = section("chart", "NEWS2");
    const [limitsBox, limits] = section("limits", "Limits");
    const since = make("p", "since");
    const left = make("div", "left", numbers, trendBox, since, newsBox);
    const also = make("p", "also", "Secondary notification only. Use the bedside monitor.");
    const right = make("div", "right", pause, alarmsBox, historyBox, limitsBox, also);
    box.replaceChildren(head, left, right);
    box.hidden = false;
    box.setAttribute("aria-label", `Bed ${W().place(row)}`);
    parts = { box, title, news, close, numbers, pause, alarms, history, trend, chart, limits, since };
    layOut();
  }

  /* Below the bar, however high that is. */
  function layOut() {
    if (!id || !place) return;
    const bar = document.getElementById("bar");
    if (bar) place.style.top = `${Math.max(0, bar.getBoundingClientRect().bottom)}px`;
  }

  function hide() {
    id = null;
    data = null;
    if (!place) return;
    place.hidden = true;
    place.replaceChildren();
    place = null;
  }

  /* Write a part anew only when what it says is new; keep the focus that was in it. */
  function fill(box, key, make) {
    const text = JSON.stringify(key);
    if (box.dataset.key === text) return;
    box.dataset.key = text;
    const hadFocus = box.contains(document.activeElement);
    box.replaceChildren(...make());
    if (hadFocus) {
      const next = box.querySelector("button, select, input, summary");
      (next || parts.close).focus();
    }
  }

  // ---------------------------------------------------------------- head, numbers

  function drawHead() {
    const { place: bedOf, BANDS } = W();
    const who = row.d[1] === bedOf(row) ? "" : row.d[1];
    const n = lost ? null : row.n;
    fill(parts.title, [row.d], () => [
      W().make("b", "", bedOf(row)),
      ...(who ? [W().make("span", "who", who)] : []),
    ]);
    const text = n
      ? `NEWS2 ${n[1] < 7 ? "at least " : ""}${n[0]} · ${n[3] || "no"} risk · ${n[1]}/7 inputs`
      : "";
    if (parts.news.textContent !== text) parts.news.textContent = text;
    parts.news.className = n ? `news ${BANDS[n[3]] || "b0"}` : "news none";
  }

  function drawNumbers() {
    const { make, PLACES, numberTexts, alarmsOf } = W();
    const texts = PLACES.map((_, i) => numberTexts(row, i));
    const inAlarm = lost ? [] : alarmsOf(row).map((alarm) => alarm.g);
    fill(parts.numbers, [texts, inAlarm], () =>
      texts.map((text, i) =>
        make(
          "div",
          `n ${PLACES[i]}${text.isKnown ? "" : " stale"}${inAlarm.includes(i) ? " inal" : ""}`,
          make("i", "", text.label),
          make("span", "", text.value),
          make("small", "", `${text.doubt}${text.mean ? ` ${text.mean}` : ""}`),
        ),
      ),
    );
  }

  // ---------------------------------------------------------------- pause

  function drawPause() {
    const { make, timeLeft, bell } = W();
    const isPaused = Boolean(row.z) && !lost;
    const type = isPaused ? "resume" : "pause";
    const wish = ASKS.of(type, row.i);
    const state = wish ? wish.state : "";
    const seconds = Math.min(PAUSE_S, (data && data.pause) || PAUSE_S);
    fill(parts.pause, [isPaused, row.z, lost, state, ASKS.may(type), seconds], () => {
      if (lost) return [];
      if (isPaused) {
        const by = row.z.by ? ` by ${row.z.by[1]}` : "";
        const why = row.z.why ? `: ${row.z.why}` : "";
        const text = make("span", "text", make("b", "", `Alarms paused${by}${why}`));
        text.append(make("span", "left-time"), make("br"), "High alarms still break through.");
        const made = [bell(), text];
        if (ASKS.may("resume")) {
          const fields = { patient: row.i };
          made.push(act("Resume", wish, () => ASKS.ask("resume", row.i, W().place(row), fields)));
        }
        return made;
      }
      return ASKS.may("pause") ? pauseForm(wish, seconds) : [];
    });
    const time = parts.pause.querySelector(".left-time");
    if (time) {
      const left = timeLeft(row.z);
      const text = left ? ` ${left} left. ` : " ";
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function pauseForm(wish, seconds) {
    const { make } = W();
    const select = make("select");
    select.setAttribute("aria-label", "Why the alarms are paused");
    for (const text of ["Reason …", ...REASONS, OTHER]) {
      const option = make("option", "", text);
      option.value = text === "Reason …" ? "" : text;
      select.append(option);
    }
    const input = make("input");
    input.type = "text";
    input.maxLength = 100;
    input.hidden = true;
    input.setAttribute("aria-label", "Other reason");
    const reason = () => (select.value === OTHER ? input.value.trim() : select.value);
    const pause = act(`Pause ${Math.round(seconds / 6) / 10} min`, wish, () =>
      ASKS.ask("pause", row.i, W().place(row), { patient: row.i, seconds, reason: reason() }),
    );
    const check = () => {
      input.hidden = select.value !== OTHER;
      pause.disabled = !reason();
    };
    select.onchange = () => {
      check();
      if (!input.hidden) input.focus();
    };
    input.oninput = check;
    check();
    return [select, input, pause];
  }

  /* A button that says what became of its last wish. */
  function act(text, wish, ask) {
    const state = wish ? wish.state : "";
    if (state === "sending") {
      const button = ASKS.button(`${text}: sending …`, () => {});
      button.setAttribute("aria-disabled", "true");
      return button;
    }
    if (wish && ASKS.canRetry(wish)) {
      const button = ASKS.button("Not confirmed: retry", () => ASKS.retry(wish));
      button.className = "bad";
      return button;
    }
    return ASKS.button(text, ask);
  }

  // ---------------------------------------------------------------- alarms

  function drawAlarms() {
    const { make, alarmsOf, hintsOf, isOpen } = W();
    const now = lost ? [] : [...alarmsOf(row), ...hintsOf(row)];
    const known = new Map(((data && data.alarms) || []).map((e) => [e.i, e]));
    const live = new Set(now.map((alarm) => alarm.i));
    const seen = new Set();
    const elements = now.map((alarm) => block(alarm, known.get(alarm.i), seen));
    const many = alarmsOf(row).filter((a) => isOpen(a) && a.p < 3 && a.i !== "page.no_data");
    if (!lost && many.length > 1 && ASKS.may("acknowledge")) {
      elements.push(
        once("all", [many.map((a) => a.i)], "div", "all", () => [
          ASKS.button(`Acknowledge ${many.length} that are not high`, () =>
            many.forEach((alarm) => W().askAcknowledge(row, alarm)),
          ),
        ]),
      );
      seen.add("all");
    }
    if (!elements.length) {
      const text = lost ? "Not known without a connection." : "No open alarm.";
      elements.push(once("none", [text], "p", "quiet", () => [text]));
      seen.add("none");
    }
    arrange(parts.alarms, elements);
    const ended = ((data && data.alarms) || []).filter((e) => e.end !== null && !live.has(e.i));
    const lines = ended.slice(0, HISTORY).map((e) => past(e, seen));
    if (!lines.length) {
      const text = data ? "None since this view was started." : "…";
      lines.push(once("no past", [text], "p", "quiet", () => [text]));
      seen.add("no past");
    }
    arrange(parts.history, lines);
    for (const key of blocks.keys()) if (!seen.has(key)) blocks.delete(key);
  }

  /* Put elements in order, moving none that is in its place already. */
  function arrange(box, elements) {
    const same =
      box.children.length === elements.length && elements.every((e, i) => box.children[i] === e);
    if (!same) {
      const focus = box.contains(document.activeElement) ? document.activeElement : null;
      box.replaceChildren(...elements);
      if (focus) (focus.isConnected ? focus : parts.close).focus();
    }
  }

  function once(key, content, tag, className, make) {
    let known = blocks.get(key);
    if (!known) {
      known = W().make(tag, className);
      blocks.set(key, known);
    }
    if (known.className !== className) known.className = className;
    fill(known, content, make);
    return known;
  }

  function block(alarm, episode, seen) {
    const { make, MARKS, fate, looks, isOpen } = W();
    seen.add(alarm.i);
    const wish = ASKS.of("acknowledge", alarm.i);
    const said = ASKS.of("feedback", alarm.i);
    const isHint = alarm.k === "advisory";
    const content = [alarm, episode, wish && wish.state, said && said.state, ASKS.may("acknowledge")];
    return once(alarm.i, content, "div", `alarm ${isHint ? "hint" : looks(alarm)}`, () => {
      const word = alarm.w ? `${alarm.w}: ` : "";
      const strip = make("div", "strip", `${isHint ? "◇" : MARKS[alarm.p]} ${word}${alarm.f}`);
      const buttons = make("div", "buttons");
      if (isOpen(alarm) && ASKS.may("acknowledge") && alarm.i !== "page.no_data")
        buttons.append(act("Acknowledge", wish, () => W().askAcknowledge(row, alarm)));
      if (wish && wish.state === "refused" && isOpen(alarm))
        buttons.append(make("span", "said", ASKS.words(wish)));
      if (episode) buttons.append(...feedback(episode));
      return [strip, make("div", "fate", fate(alarm)), ...(episode ? [why(episode)] : []), buttons];
    });
  }

  function past(episode, seen) {
    const { make, MARKS, hhmm } = W();
    seen.add(episode.i);
    const said = ASKS.of("feedback", episode.i);
    const content = [episode, said && said.state, ASKS.may("feedback")];
    let known = blocks.get(episode.i);
    if (known && known.tagName !== "DETAILS") blocks.delete(episode.i);
    known = once(episode.i, content, "details", "past", () => {
      const word = episode.w ? `${episode.w}: ` : "";
      const span = `${hhmm(episode.o)}–${hhmm(episode.end)}`;
      const judged = episode.ok ? (episode.ok.yes ? " · worth it" : " · not worth it") : "";
      const mark = episode.k === "advisory" ? "◇" : MARKS[episode.p];
      const summary = make("summary", "", `${span} ${mark} ${word}${episode.f}${judged}`);
      const steps = episode.steps.map(([event, at, by]) =>
        make("li", "", `${hhmm(at)} ${EVENTS[event] || event}${by ? ` by ${by}` : ""}`),
      );
      const buttons = make("div", "buttons", ...feedback(episode));
      return [summary, make("ul", "", ...steps), why(episode), buttons];
    });
    return known;
  }

  function feedback(episode) {
    const { make } = W();
    if (episode.k === "technical" && episode.c.startsWith("page.")) return [];
    const wish = ASKS.of("feedback", episode.i);
    const made = [];
    if (episode.ok) {
      const by = episode.ok.by ? ` (${episode.ok.by})` : "";
      made.push(make("span", "judged", `${episode.ok.yes ? "Worth it" : "Not worth it"}${by}`));
    }
    if (!ASKS.may("feedback")) return made;
    if (wish && (wish.state === "sending" || ASKS.canRetry(wish))) return [...made, act("Feedback", wish)];
    const ask = (actionable) => () =>
      ASKS.ask("feedback", episode.i, `${W().place(row)}, ${episode.c}`, {
        patient: row.i,
        alert: episode.i,
        actionable,
      });
    if (!episode.ok) made.push(make("span", "judged", "Was it worth it?"));
    if (!episode.ok || !episode.ok.yes) made.push(ASKS.button("Yes", ask(true)));
    if (!episode.ok || episode.ok.yes) made.push(ASKS.button("No", ask(false)));
    return made;
  }

  /* Why this alert: rule, limit and whose, what is usual, what else, how complete. */
  function why(episode) {
    const { make } = W();
    const { why: w } = episode;
    const unit = w.unit ? ` ${w.unit}` : "";
    const signed = (n) => `${n > 0 ? "+" : n < 0 ? "−" : "±"}${Math.abs(n)}`;
    const usual =
      w.usual === null
        ? ""
        : `${w.usual}${unit}${w.change === null ? "" : `, now ${signed(w.change)}`}`;
    const others = w.others.map(([name, value, u]) => `${name} ${value}${u ? ` ${u}` : ""}`);
    const lines = [
      ["Rule", w.rule],
      ["Limit from", w.source],
      ["Worst", w.extreme === null ? "" : `${w.extreme}${unit}`],
      ["Usual here", usual],
      ["Also then", others.join(" · ")],
      ["Measured", w.complete ? `${w.complete} signals` : ""],
      ["Because", w.reason],
      ["Versions", Object.entries(w.versions).map(([k, v]) => `${k} ${v}`).join(" · ")],
    ].filter(([, text]) => text);
    return make("dl", "why", ...lines.flatMap(([k, v]) => [make("dt", "", k), make("dd", "", v)]));
  }

  // ---------------------------------------------------------------- what is fetched

  async function load() {
    const since = performance.now() - fetchedAt;
    if (isFetching) {
      isWanted = true;
      return;
    }
    isFetching = true;
    isWanted = false;
    if (since < LEAST_MS) await new Promise((then) => setTimeout(then, LEAST_MS - since));
    const wanted = id;
    try {
      if (!wanted) return;
      const query = new URLSearchParams({ patient: wanted, hours });
      const answer = await fetch(`/beds?${query}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const found = await answer.json();
      if (id === wanted) {
        data = found;
        isStale = false;
      }
    } catch {
      isStale = true;
    } finally {
      isFetching = false;
      fetchedAt = performance.now();
    }
    if (id && id === wanted) drawFetched();
    if (id && (isWanted || id !== wanted)) load();
  }

  function drawFetched() {
    drawPause();
    drawAlarms();
    drawSince();
    if (!data) return;
    drawHours();
    drawTrends();
    drawChart();
    drawLimits();
  }

  function drawSince() {
    const { hhmmss, hhmm } = W();
    const seen = data && data.since ? `Seen by this view itself, since ${hhmm(data.since)}.` : "";
    const asOf = data ? ` As of ${hhmmss(data.t)}${isStale ? ": NOT CURRENT" : "."}` : "";
    parts.since.textContent = seen + asOf;
    parts.since.className = isStale ? "since bad" : "since";
  }

  function drawHours() {
    const { make } = W();
    const title = parts.trend.parentElement.querySelector("h3");
    fill(title, [hours], () => [
      "Trend ",
      ...HOURS.map((n) => {
        const button = ASKS.button(`${n} h`, () => {
          hours = n;
          load();
        });
        button.setAttribute("aria-pressed", String(n === hours));
        return button;
      }),
    ]);
  }

  function drawTrends() {
    const { make } = W();
    const { lines } = data.trend;
    const some = TRENDS.filter(([code]) => lines[code] && lines[code].some(Boolean));
    fill(parts.trend, [some.map(([code]) => code)], () =>
      some.length
        ? some.map(([code, label, colour]) => {
            const canvas = make("canvas");
            canvas.setAttribute("role", "img");
            const name = make("b", "", label);
            name.style.color = `var(${colour})`;
            const line = make("div", "trend", name, canvas);
            line.dataset.code = code;
            return line;
          })
        : [make("p", "quiet", "Nothing measured in this time.")],
    );
    some.forEach(([code, label, colour, span], i) => {
      const canvas = parts.trend.children[i].querySelector("canvas");
      drawTrend(canvas, code, label, colour, span, i === some.length - 1);
    });
  }

  function drawTrend(canvas, code, label, colour, leastSpan, isLast) {
    const { hhmm } = W();
    const { from, step, lines } = data.trend;
    const points = lines[code];
    const box = canvas.parentElement;
    box.classList.toggle("last", isLast);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const paint = (name) => style.getPropertyValue(name);
    const known = points.filter(Boolean);
    const limits = data.limits.filter((limit) => limit.g === code && limit.limit > 0);
    const lows = limits.filter((l) => l.sign === "<").map((l) => l.limit);
    const highs = limits.filter((l) => l.sign === ">").map((l) => l.limit);
    const lowest = lows.length ? Math.max(...lows) : null;
    const highest = highs.length ? Math.min(...highs) : null;
    const all = [...known.map((p) => p[0]), ...known.map((p) => p[1])];
    for (const limit of [lowest, highest]) if (limit !== null) all.push(limit);
    let [low, high] = [Math.min(...all), Math.max(...all)];
    const spare = Math.max(0, leastSpan - (high - low)) / 2 + (high - low) * 0.06;
    [low, high] = [low - spare, high + spare];
    const bottom = height - (isLast ? 16 : 3);
    const toX = (i) => LEFT + ((i + 0.5) / points.length) * (width - LEFT - 4);
    const toY = (y) => 3 + ((high - y) / (high - low)) * (bottom - 3);

    pen.fillStyle = paint("--edge");
    pen.globalAlpha = 0.6; // beyond the limits
    if (highest !== null) pen.fillRect(LEFT, 3, width - LEFT, Math.max(0, toY(highest) - 3));
    if (lowest !== null) pen.fillRect(LEFT, toY(lowest), width - LEFT, Math.max(0, bottom - toY(lowest)));
    pen.globalAlpha = 1;

    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = paint("--muted");
    pen.strokeStyle = paint("--edge");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    const marks = [lowest, highest].filter((y) => y !== null);
    if (!marks.length) marks.push(Math.round((low + high) / 2));
    for (const y of marks) pen.fillText(String(y), LEFT - 4, Math.min(bottom - 5, Math.max(8, toY(y))));
    const every = { 1: 15, 2: 30, 4: 60 }[hours] * 60000;
    pen.textBaseline = "alphabetic";
    pen.textAlign = "center";
    for (let at = Math.ceil(from / every) * every; at < from + points.length * step; at += every) {
      const x = toX((at - from) / step - 0.5);
      pen.beginPath();
      pen.moveTo(x, 3);
      pen.lineTo(x, bottom);
      pen.stroke();
      if (isLast && x > LEFT + 16 && x < width - 18) pen.fillText(hhmm(at), x, height - 3);
    }

    pen.strokeStyle = pen.fillStyle = paint(colour);
    pen.lineJoin = "round";
    let isDown = false; // a gap in the data is a gap in the line
    const path = new Path2D();
    points.forEach((point, i) => {
      if (point) {
        const [least, most, mean] = point;
        pen.globalAlpha = 0.35;
        pen.fillRect(toX(i) - 1, toY(most), 2, Math.max(1, toY(least) - toY(most)));
        if (!isDown) path.moveTo(toX(i) - 1, toY(mean));
        path.lineTo(toX(i) + (isDown ? 0 : 1), toY(mean));
      }
      isDown = Boolean(point);
    });
    pen.globalAlpha = 1;
    pen.lineWidth = 1.8;
    pen.stroke(path);

    // Alarms of this signal: a mark where each began.
    pen.fillStyle = paint("--text");
    for (const episode of data.alarms) {
      if (episode.g !== code && !(code === "abp_mean" && /^abp_/.test(episode.g || ""))) continue;
      const i = (episode.o - from) / step;
      if (i < 0 || i > points.length) continue;
      const x = toX(i - 0.5);
      pen.beginPath();
      pen.moveTo(x - 4, 2);
      pen.lineTo(x + 4, 2);
      pen.lineTo(x, 9);
      pen.fill();
    }
    const last = known.at(-1);
    canvas.setAttribute(
      "aria-label",
      `${label}, ${hours} h: ${Math.min(...known.map((p) => p[0]))} to ${Math.max(...known.map((p) => p[1]))}, last ${last[2]}`,
    );
  }

  function age(seconds) {
    if (seconds < 90) return `${seconds} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return `${Math.round(seconds / 3600)} h`;
  }

  function drawChart() {
    const { make } = W();
    const score = data.news2;
    fill(parts.chart, [score, data.unusual], () => {
      if (!score) return [make("p", "quiet", "No NEWS2: no input is known, or no scores come.")];
      const cell = (text, className) => make("td", className || "", text);
      const rows = score.rows.map((input) => {
        const isMissing = input.points === null;
        const name = input.name === "SpO₂" ? `SpO₂ (scale ${score.scale})` : input.name;
        const line = make("tr", isMissing ? "missing" : `p${input.points}`);
        const head = make("th", "", name);
        head.scope = "row";
        line.append(
          head,
          cell(isMissing ? "–" : String(input.value)),
          cell(isMissing ? "–" : String(input.points), "points"),
          cell(isMissing ? "missing" : `${age(input.age)} ago${input.by ? `, ${input.by}` : ""}`),
        );
        return line;
      });
      const atLeast = score.complete < score.of ? "at least " : "";
      const total = make(
        "p",
        "total",
        make("b", "", `${atLeast}${score.total}`),
        ` · ${score.band} risk · ${score.complete}/${score.of} inputs`,
      );
      const made = [total, make("table", "", make("tbody", "", ...rows))];
      if (data.unusual) {
        const shares = data.unusual.shares.map(([name, share]) => `${name} ${share} %`).join(" · ");
        made.push(
          make("p", "quiet", `◇ A model's hint, no alarm: unusual ${data.unusual.score} of 1 (${shares}) · ${data.unusual.model}`),
        );
      }
      made.push(make("p", "quiet", "© Royal College of Physicians. Not validated for ICU."));
      return made;
    });
  }

  function drawLimits() {
    const { make, MARKS, hhmm } = W();
    fill(parts.limits, [data.limits, data.profile], () => {
      const rows = data.limits.map((limit) => {
        const unit = limit.unit ? ` ${limit.unit}` : "";
        const own = limit.own
          ? `own: ${limit.own.by}, ${hhmm(limit.own.at)} until ${hhmm(limit.own.until)}`
          : limit.source;
        const line = make("tr", limit.own ? "own" : "");
        const head = make("th", "", limit.name);
        head.scope = "row";
        line.append(
          head,
          make("td", "", MARKS[limit.p]),
          make("td", "", `${limit.sign} ${limit.limit}${unit}`),
          make("td", "", limit.delay ? `${limit.delay} s` : "at once"),
          make("td", "source", own),
        );
        return line;
      });
      const changed = data.limits.filter((limit) => limit.own).length;
      const details = make("details", "");
      details.append(
        make("summary", "", `${data.profile}, ${changed || "none"} changed for this patient`),
        make("table", "", make("tbody", "", ...rows)),
      );
      return [details];
    });
  }

  /* An answer may change what is fetched, though no frame says so. */
  ASKS.onChange(() => {
    if (id && !lost) load();
  });

  function focus() {
    if (parts && id) parts.close.focus();
  }

  window.addEventListener("resize", () => {
    layOut();
    if (id && data) drawTrends();
  });

  return { draw, hide, focus };
})();
