/* One bed, beside the ward: numbers, alarms and why, trends, NEWS2, limits, commands.
 *
 * Numbers, alarms and the pause are drawn from the frames, as the tiles are. The rest is
 * fetched when the frames say that it changed, and each ten seconds: /beds is the present,
 * /courses the hours before it, and the page says who kept them and since when. The list
 * "Needs attention" stays beside it, so that no other bed's alarm is hidden. Its address is
 * /bed/ and the patient's id.
 *
 * What a person may have in hand (focus, an opened alarm, a half-written reason) is left
 * alone: only a part whose content changed is drawn anew.
 *
 *   trends.js    the hours before, drawn by Plotly
 *   news2.js     the chart of NEWS2
 *   observe.js   what a person charts
 */
"use strict";

window.icuBed = (() => {
  const ASKS = window.icuCommands;
  const NEWS2 = window.icuNews2;
  const { say, hhmm, hhmmss, moment, number, value: valueOf, unit: unitOf } = window.icuWords;
  const { difference, shown: inUnit, digits: digitsOf } = window.icuWords;
  const { make, button } = ASKS;
  const FETCH_MS = 10000;
  const LEAST_MS = 500; // between two fetches
  // How old a course may be, by its hours: its newest step is not over before that.
  const COURSE_MS = { 1: 10000, 4: 30000, 12: 60000, 24: 60000 };
  const HOURS = [1, 4, 12, 24];
  const PAUSES_S = [30, 60, 120, 300, 600]; // those that the profile allows are offered
  const PAUSE_S = 120; // UI, pause: 2 min; less where the profile allows less
  const OTHER = "other";
  // Ours: why alarms are paused at a bedside; anything else is written.
  const REASONS = ["care", "suction", "blood", "sensor"];
  const HISTORY = 30; // ended alarms that are listed

  const W = () => window.icuWard;
  const signalName = (code) => {
    const key = `signal.${code}`;
    const name = say(key);
    return name === key ? code : name;
  };
  let id = null; // of the row that is shown
  let place = null; // the #bed that it is drawn in
  let parts = null;
  let row = null;
  let lost = false;
  let data = null; // of the last fetch
  let course = null;
  let courseAt = 0;
  let hours = 1;
  let fetchedAt = 0;
  let isFetching = false;
  let isWanted = false; // once more, when this fetch is done
  let isStale = false; // the last fetch failed
  let charting = null; // the form to chart with
  let pausing = null; // the form to pause with
  const blocks = new Map(); // alarm -> {box, key}

  // ---------------------------------------------------------------- frames

  function draw(newRow, now) {
    const box = document.getElementById("bed");
    if (!box || !newRow) return;
    const isBack = lost && !now.lost;
    lost = now.lost;
    const isNew = newRow.i !== id || box !== place || "gone" in box.dataset;
    row = newRow;
    if (isNew) begin(box);
    drawHead();
    drawPause();
    drawNumbers();
    drawAlarms();
    charting.update();
    if (lost && !isStale) {
      isStale = true;
      drawSince();
      if (data) drawChart();
      window.icuTrends.label();
    }
    const { change } = now;
    const isNews = change && ["al", "h", "n", "z"].some((field) => field in change);
    if (!lost && (isNew || isBack || isNews || performance.now() - fetchedAt > FETCH_MS)) load();
  }

  /* A patient who is not on this ward, or not any more. */
  function drawGone(patient) {
    const box = document.getElementById("bed");
    if (!box || (place === box && box.dataset.gone === patient)) return;
    hide();
    id = patient;
    place = box;
    box.dataset.gone = patient;
    const close = button(`✕ ${say("bed.back")}`, () => W().closeBed());
    close.className = "close";
    const head = make("div", "head", make("h2", "", patient), close);
    box.replaceChildren(head, make("p", "gone", say("bed.gone", { id: patient })));
    box.hidden = false;
    parts = { box, close };
    layOut();
  }

  function begin(box) {
    id = row.i;
    place = box;
    data = course = pausing = null;
    fetchedAt = courseAt = 0;
    delete box.dataset.gone;
    blocks.clear();
    window.icuTrends.forget();
    const section = (name, title) => {
      const inside = make("div", "in");
      const outer = make("section", name, make("h3", "", title), inside);
      return [outer, inside];
    };
    const close = button(`✕ ${say("bed.back")}`, () => W().closeBed());
    close.className = "close";
    const print = button(say("bed.print"), () => window.print());
    print.className = "print";
    const title = make("h2", "");
    const news = make("span", "news");
    const mine = window.icuPhone.chooser(row.i);
    const head = make("div", "head", title, news, mine, print, close);
    const numbers = make("div", "numbers");
    const pause = make("div", "pausing");
    const [alarmsBox, alarms] = section("alarms", say("bed.alarms"));
    const [historyBox, history] = section("history", say("bed.ended"));
    const [trendBox, trend] = section("trends", say("bed.trend"));
    const [newsBox, chart] = section("chart", say("bed.news2"));
    const [limitsBox, limits] = section("limits", say("bed.limits"));
    const [observeBox, observe] = section("observe", say("observe.title"));
    observeBox.hidden = !ASKS.may("observe");
    const since = make("p", "since");
    const left = make("div", "left", numbers, trendBox, since, newsBox);
    const also = make("p", "also", say("page.note"));
    const right = make("div", "right", pause, alarmsBox, historyBox, observeBox, limitsBox, also);
    charting = window.icuObserve.form(id, W().place(row));
    observe.append(charting.box);
    const printed = make("p", "printed");
    box.replaceChildren(head, left, right, printed);
    box.hidden = false;
    box.setAttribute("aria-label", `${say("ward.bed")} ${W().place(row)}`);
    parts = { box, title, news, close, numbers, pause, alarms, history, trend, trendBox, chart, limits, observeBox, since, printed };
    layOut();
    if (document.activeElement === document.body) close.focus();
  }

  /* Between the bar and what stands at the foot, however high these are. */
  function layOut() {
    if (!id || !place) return;
    const bar = document.getElementById("bar");
    if (bar) place.style.top = `${Math.max(0, bar.getBoundingClientRect().bottom)}px`;
    const feet = ["nav", "note"]
      .map((name) => document.getElementById(name))
      .filter((foot) => foot && foot.offsetHeight)
      .map((foot) => foot.getBoundingClientRect().top)
      .filter((top) => top > innerHeight / 2);
    place.style.bottom = `${Math.max(0, innerHeight - Math.min(innerHeight, ...feet))}px`;
  }

  function hide() {
    id = null;
    data = course = null;
    window.icuTrends.forget();
    if (!place) return;
    place.hidden = true;
    place.replaceChildren();
    delete place.dataset.gone;
    place = null;
  }

  /* Write a part anew only when what it says is new; keep the focus that was in it. */
  function fill(box, key, make) {
    const text = JSON.stringify(key);
    if (box.dataset.key === text) return;
    box.dataset.key = text;
    const held = box.contains(document.activeElement) ? document.activeElement : null;
    box.replaceChildren(...make());
    if (held) {
      const next = held.isConnected ? held : box.querySelector("button, select, input, summary");
      (next || parts.close).focus();
    }
  }

  // ---------------------------------------------------------------- head, numbers

  function drawHead() {
    const { place: bedOf, BANDS } = W();
    const who = row.d[1] === bedOf(row) ? "" : row.d[1];
    const n = lost ? null : row.n;
    fill(parts.title, [row.d], () => [
      make("b", "", bedOf(row)),
      ...(who ? [make("span", "who", who)] : []),
    ]);
    const text = n ? `NEWS2 ${newsText(n[0], n[3], n[1], 7)}` : "";
    if (parts.news.textContent !== text) parts.news.textContent = text;
    parts.news.className = n ? `news ${BANDS[n[3]] || "b0"}` : "news none";
  }

  function newsText(total, band, complete, of) {
    const sum = complete < of ? say("news2.at_least", { n: total }) : total;
    const risk = say("news2.risk", { band: say(`news2.band.${band || "none"}`) });
    return `${sum} · ${risk} · ${say("news2.inputs", { n: complete, of })}`;
  }

  function drawNumbers() {
    const { PLACES, numberTexts, alarmsOf } = W();
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
    const { timeLeft, sign } = W();
    const isPaused = Boolean(row.z) && !lost;
    const type = isPaused ? "resume" : "pause";
    const wish = ASKS.of(type, row.i);
    const state = wish && isPaused ? wish.state : ""; // the form says it itself
    const most = (data && data.pause) || PAUSE_S;
    const { left, control } = window.icuSound;
    const isQuiet = left(row.i) > 0;
    fill(parts.pause, [isPaused, row.z, lost, state, ASKS.may(type), most, isQuiet], () => {
      if (lost) return [];
      if (isPaused) {
        const by = row.z.by ? row.z.by[1] : "";
        const why = row.z.why ? `: ${row.z.why}` : "";
        const title = by ? say("pause.is_by", { by }) : say("pause.is");
        const text = make("span", "text", make("b", "", title + why));
        text.append(make("span", "left-time"), make("br"), say("pause.but_high"));
        const made = [sign("alarm-paused"), text];
        if (ASKS.may("resume")) {
          const fields = { patient: row.i };
          const resume = () => ASKS.ask("resume", row.i, W().place(row), fields);
          made.push(act(say("pause.resume"), wish, resume));
        }
        return [...made, ...control(row)];
      }
      if (!ASKS.may("pause")) return [];
      // What was chosen or written stays, whatever is drawn anew around it.
      if (!pausing || pausing.most !== most) pausing = pauseForm(most);
      return [...pausing.elements, ...control(row)];
    });
    if (pausing && !isPaused) pausing.update(wish);
    const time = parts.pause.querySelector(".left-time");
    if (time) {
      const left = timeLeft(row.z);
      const text = left ? ` ${say("pause.left", { left })} ` : " ";
      if (time.textContent !== text) time.textContent = text;
    }
  }

  const minutes = (seconds) => number(seconds / 60, 1);

  function pauseForm(most) {
    const select = options(say("pause.why"), [
      ["", say("pause.reason")],
      ...REASONS.map((reason) => [reason, say(`pause.${reason}`)]),
      [OTHER, say("pause.other")],
    ]);
    const lengths = PAUSES_S.filter((seconds) => seconds < most).concat(most);
    const length = options(
      say("pause.length"),
      lengths.map((seconds) => [seconds, say("pause.minutes", { minutes: minutes(seconds) })]),
    );
    length.className = "length";
    length.value = Math.min(PAUSE_S, most);
    const input = make("input");
    input.type = "text";
    input.maxLength = 100;
    input.setAttribute("aria-label", say("pause.other_why"));
    const reason = () => {
      if (select.value === OTHER) return input.value.trim();
      return select.value && say(`pause.${select.value}`);
    };
    let last = null; // the wish, as it was when this was drawn
    const pause = button("", async () => {
      if (last && ASKS.canRetry(last)) return ASKS.retry(last);
      if (!reason() || (last && last.state === "sending")) return;
      const fields = { patient: row.i, seconds: Number(length.value), reason: reason() };
      const wish = await ASKS.ask("pause", row.i, W().place(row), fields);
      if (!wish || wish.state !== "done") return;
      select.value = input.value = "";
      update(wish);
    });
    const said = make("span", "said");

    /* The button says what it would do, or what became of the last wish. */
    function update(wish) {
      last = wish;
      const state = wish ? wish.state : "";
      const isLate = Boolean(wish && ASKS.canRetry(wish));
      const what = say("pause.do", { minutes: minutes(Number(length.value)) });
      const text = isLate
        ? say("ask.not_confirmed")
        : state === "sending"
          ? say("ask.sending")
          : what;
      if (pause.textContent !== text) pause.textContent = text;
      pause.className = isLate ? "bad" : "";
      pause.disabled = !isLate && state !== "sending" && !reason();
      if (state === "sending") pause.setAttribute("aria-disabled", "true");
      else pause.removeAttribute("aria-disabled");
      const words = state === "refused" ? ASKS.words(wish) : "";
      if (said.textContent !== words) said.textContent = words;
      input.hidden = select.value !== OTHER;
    }

    select.onchange = () => {
      update(last);
      if (!input.hidden) input.focus();
    };
    input.oninput = length.onchange = () => update(last);
    update(null);
    return { most, elements: [select, input, length, pause, said], update };
  }

  function options(label, list) {
    const select = make("select");
    select.setAttribute("aria-label", label);
    for (const [value, text] of list) {
      const option = make("option", "", text);
      option.value = value;
      select.append(option);
    }
    return select;
  }

  /* A button that says what became of its last wish. */
  function act(text, wish, ask) {
    const state = wish ? wish.state : "";
    if (state === "sending") {
      const made = button(say("ask.is_sending", { what: text }), () => {});
      made.setAttribute("aria-disabled", "true");
      return made;
    }
    if (wish && ASKS.canRetry(wish)) {
      const made = button(say("ask.not_confirmed"), () => ASKS.retry(wish));
      made.className = "bad";
      return made;
    }
    return button(text, ask);
  }

  // ---------------------------------------------------------------- alarms

  function drawAlarms() {
    const { alarmsOf, hintsOf, isOpen } = W();
    const now = lost ? [] : [...alarmsOf(row), ...hintsOf(row)];
    const known = new Map(((data && data.alarms) || []).map((e) => [e.i, e]));
    const live = new Set(now.map((alarm) => alarm.i));
    const seen = new Set();
    const elements = now.map((alarm) => block(alarm, known.get(alarm.i), seen));
    const many = alarmsOf(row).filter((a) => isOpen(a) && a.p < 3 && a.i !== "page.no_data");
    if (!lost && many.length > 1 && ASKS.may("acknowledge")) {
      elements.push(
        once("all", [many.map((a) => a.i)], "div", "all", () => [
          button(say("bed.acknowledge_all", { n: many.length }), () =>
            many.forEach((alarm) => W().askAcknowledge(row, alarm)),
          ),
        ]),
      );
      seen.add("all");
    }
    if (!elements.length) {
      const text = lost ? say("bed.not_known") : say("bed.no_alarm");
      elements.push(once("none", [text], "p", "quiet", () => [text]));
      seen.add("none");
    }
    arrange(parts.alarms, elements);
    const ended = ((data && data.alarms) || []).filter((e) => e.end !== null && !live.has(e.i));
    const lines = ended.slice(0, HISTORY).map((e) => past(e, seen));
    if (!lines.length) {
      const text = data ? say("bed.none_ended") : "…";
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
    const { MARKS, fate, looks, isOpen } = W();
    seen.add(alarm.i);
    const wish = ASKS.of("acknowledge", alarm.i);
    const said = ASKS.of("feedback", alarm.i);
    const isHint = alarm.k === "advisory";
    const score = news2Of(alarm, episode);
    const content = [alarm, episode, score, wish && wish.state, said && said.state, ASKS.may("acknowledge")];
    return once(alarm.i, content, "div", `alarm ${isHint ? "hint" : looks(alarm)}`, () => {
      const word = alarm.w ? `${alarm.w}: ` : "";
      const strip = make("div", "strip", `${isHint ? "◇" : MARKS[alarm.p]} ${word}${alarm.f}`);
      const buttons = make("div", "buttons");
      if (isOpen(alarm) && !isHint && ASKS.may("acknowledge") && alarm.i !== "page.no_data") {
        const ask = () => W().askAcknowledge(row, alarm);
        buttons.append(act(say("ask.acknowledge"), wish, ask));
      }
      if (wish && wish.state === "refused" && isOpen(alarm))
        buttons.append(make("span", "said", ASKS.words(wish)));
      if (episode) buttons.append(...feedback(episode));
      const reasons = episode ? [why(episode, score)] : [];
      return [strip, make("div", "fate", fate(alarm)), ...reasons, buttons];
    });
  }

  /* NEWS2 as it is now, and what this alarm's signal has in it. */
  function news2Of(alarm, episode) {
    const score = data && data.news2;
    if (!score || !episode || alarm.k !== "physiological") return "";
    const parts = [NEWS2.total(score), say("news2.inputs", { n: score.complete, of: score.of })];
    const input = { hr: "pulse", abp: "sys", nibp: "sys" }[episode.c.split(/[_.]/)[0]] || episode.c.split(".")[0];
    const own = score.rows.find((r) => r.c === input);
    if (own && own.points !== null) parts.push(`${own.name} ${own.points}`);
    return parts.join(" · ");
  }

  function past(episode, seen) {
    const { MARKS } = W();
    seen.add(episode.i);
    const said = ASKS.of("feedback", episode.i);
    const content = [episode, said && said.state, ASKS.may("feedback")];
    let known = blocks.get(episode.i);
    if (known && known.tagName !== "DETAILS") blocks.delete(episode.i);
    known = once(episode.i, content, "details", "past", () => {
      const word = episode.w ? `${episode.w}: ` : "";
      const span = `${hhmm(episode.o)}–${hhmm(episode.end)}`;
      const verdict = episode.ok && say(episode.ok.yes ? "feedback.worth_short" : "feedback.not_worth_short");
      const judged = verdict ? ` · ${verdict}` : "";
      const mark = episode.k === "advisory" ? "◇" : MARKS[episode.p];
      const summary = make("summary", "", `${span} ${mark} ${word}${episode.f}${judged}`);
      const buttons = make("div", "buttons", ...feedback(episode));
      return [summary, steps(episode), why(episode, ""), buttons];
    });
    return known;
  }

  /* What happened to an alarm, and by whom. */
  function steps(episode) {
    const lines = episode.steps.map(([event, at, by]) => {
      const text = say(`event.${event}`);
      return make("li", "", `${hhmmss(at)} ${by ? say("event.by", { event: text, by }) : text}`);
    });
    return make("ul", "", ...lines);
  }

  function feedback(episode) {
    if (episode.k === "technical" && episode.c.startsWith("page.")) return [];
    const wish = ASKS.of("feedback", episode.i);
    const made = [];
    if (episode.ok) {
      const by = episode.ok.by ? ` (${episode.ok.by})` : "";
      const verdict = say(episode.ok.yes ? "feedback.worth" : "feedback.not_worth");
      made.push(make("span", "judged", verdict + by));
    }
    if (!ASKS.may("feedback")) return made;
    if (wish && (wish.state === "sending" || ASKS.canRetry(wish)))
      return [...made, act(say("ask.feedback"), wish)];
    const ask = (actionable) => () =>
      ASKS.ask("feedback", episode.i, `${W().place(row)}, ${episode.c}`, {
        patient: row.i,
        alert: episode.i,
        actionable,
      });
    if (!episode.ok) made.push(make("span", "judged asked", say("feedback.ask")));
    if (!episode.ok || !episode.ok.yes) made.push(button(say("feedback.yes"), ask(true)));
    if (!episode.ok || episode.ok.yes) made.push(button(say("feedback.no"), ask(false)));
    return made;
  }

  /* Why this alert: rule, limit and whose, what is usual, what else, how complete. */
  function why(episode, score) {
    const { why: w, g: code } = episode;
    const written = (x) => [number(inUnit(code, x), digitsOf(code) + 1), unitOf(code)].join(" ").trim();
    const signed = (x) => `${x > 0 ? "+" : x < 0 ? "−" : "±"}${number(Math.abs(difference(code, x)), digitsOf(code) + 1)}`;
    const isKnown = (x) => code && x !== null && x !== undefined;
    const usual = isKnown(w.usual)
      ? isKnown(w.change)
        ? say("why.usual_now", { value: written(w.usual), change: signed(w.change) })
        : written(w.usual)
      : "";
    const others = w.others.map(([name, x, u, c]) => `${name} ${valueOf(c, x)} ${u}`.trim());
    const seconds = (n) => say("age.seconds", { n: number(n, 0) });
    const lines = [
      [say("why.extreme"), isKnown(w.extreme) ? written(w.extreme) : ""],
      [say("why.limit"), isKnown(w.limit) ? written(w.limit) : ""],
      [say("why.delay"), w.delay === null || w.delay === undefined ? "" : w.delay ? seconds(w.delay) : say("limits.at_once")],
      [say("why.usual"), usual],
      [say("why.others"), others.join(" · ")],
      [say("why.news2"), score],
      [say("why.rule"), w.rule],
      [say("why.source"), w.source],
      [say("why.measured"), w.complete ? say("why.signals", { n: w.complete }) : ""],
      [say("why.reason"), w.reason],
      [say("why.versions"), Object.entries(w.versions).map(([k, v]) => `${k} ${v}`).join(" · ")],
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
    const [wanted, asked] = [id, hours];
    try {
      if (!wanted) return;
      const isOld = !course || performance.now() - courseAt > COURSE_MS[asked];
      const [found, then] = await Promise.all([
        get("/beds", { patient: wanted }),
        // Without the hours before, the present is shown all the same.
        isOld ? get("/courses", { patient: wanted, hours: asked }).catch(() => undefined) : null,
      ]);
      if (id === wanted) {
        data = found;
        if (then && asked === hours) {
          course = then;
          courseAt = performance.now();
        }
        isStale = lost || then === undefined;
      }
    } catch {
      isStale = true;
    } finally {
      isFetching = false;
      fetchedAt = performance.now();
    }
    if (id && id === wanted && place && !place.dataset.gone) drawFetched();
    if (id && (isWanted || id !== wanted || asked !== hours)) load();
  }

  async function get(path, query) {
    const answer = await fetch(`${path}?${new URLSearchParams(query)}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  }

  function drawFetched() {
    drawPause();
    drawAlarms();
    drawSince();
    if (!data) return;
    drawHours();
    if (course) window.icuTrends.draw(parts.trend, course, data, hours);
    drawChart();
    drawLimits();
  }

  function drawSince() {
    const seen = course && course.since ? say(`bed.since.${course.source}`, { at: moment(course.since) }) : "";
    const asOf = data ? say(isStale ? "bed.as_of_stale" : "bed.as_of", { at: hhmmss(data.t) }) : "";
    parts.since.textContent = [seen, asOf].filter(Boolean).join(" ");
    parts.since.className = isStale ? "since bad" : "since";
  }

  function drawHours() {
    const title = parts.trendBox.querySelector("h3");
    fill(title, [hours], () => [
      `${say("bed.trend")} `,
      ...HOURS.map((n) => {
        const made = button(say("bed.hours", { n }), () => {
          hours = n;
          course = null;
          load();
          drawHours();
        });
        made.setAttribute("aria-pressed", String(n === hours));
        return made;
      }),
    ]);
  }

  function drawChart() {
    const score = data.news2;
    fill(parts.chart, [score, data.unusual, lost], () => {
      if (lost) return [make("p", "quiet", say("bed.not_known"))];
      const note = make("p", "quiet", say("news2.copyright"));
      const made = score ? NEWS2.chart(score) : [make("p", "quiet", say("news2.none"))];
      if (data.unusual) made.push(hint(data.unusual));
      return [...made, note];
    });
  }

  /* What a model finds unusual: a hint, and said to be one. */
  function hint({ score, shares, model }) {
    const parts = shares.map(([name, share]) => `${name} ${share} %`).join(" · ");
    const text = say("news2.unusual", { score: number(score, 2), shares: parts, model });
    return make("p", "quiet", `◇ ${text}`);
  }

  function drawLimits() {
    const { MARKS } = W();
    fill(parts.limits, [data.limits, data.profile], () => {
      const own = data.limits.filter((limit) => limit.own);
      const details = make(
        "details",
        "",
        make("summary", "", own.length ? say("limits.changed", { n: own.length, profile: data.profile }) : say("limits.unchanged", { profile: data.profile })),
        limitTable(data.limits, MARKS),
      );
      const link = make("a", "change", say("limits.page"));
      link.href = `/limits/${encodeURIComponent(id)}`;
      const made = own.length ? [limitTable(own, MARKS), details] : [details];
      return [...made, make("p", "", link)];
    });
  }

  function limitTable(limits, MARKS) {
    const rows = limits.map((limit) => {
      const text = number(inUnit(limit.g, limit.limit), digitsOf(limit.g) + 1);
      const { own } = limit;
      const source = own
        ? say("limits.own", { by: own.by, at: hhmm(own.at), until: moment(own.until) })
        : limit.source;
      const line = make("tr", own ? "own" : "");
      const head = make("th", "", signalName(limit.g));
      head.scope = "row";
      line.append(
        head,
        make("td", "", MARKS[limit.p]),
        make("td", "", `${limit.sign} ${text} ${unitOf(limit.g)}`.trim()),
        make("td", "", limit.delay ? say("age.seconds", { n: number(limit.delay, 1) }) : say("limits.at_once")),
        make("td", "source", source),
      );
      return line;
    });
    return make("table", "", make("tbody", "", ...rows));
  }

  /* What a printed page says of itself: whose it is, when it was printed, and by whom. */
  function sayPrinted() {
    if (!id || !row || !parts.printed) return;
    const by = ASKS.me().by || say("page.printed_by_nobody");
    const patient = say("bed.patient", { bed: W().place(row), id });
    const printed = say("page.printed", { at: moment(Date.now()), by });
    parts.printed.textContent = [patient, printed, parts.since.textContent, say("page.note")].join(" · ");
  }
  window.addEventListener("beforeprint", sayPrinted);
  window.matchMedia("print").addEventListener("change", sayPrinted);

  /* An answer may change what is fetched, though no frame says so. */
  ASKS.onChange(() => {
    if (!id || lost || !place || place.dataset.gone) return;
    parts.observeBox.hidden = !ASKS.may("observe");
    load();
  });

  function focus() {
    if (parts && id) parts.close.focus();
  }

  window.addEventListener("resize", layOut);

  return { draw, drawGone, hide, focus, signalName };
})();
