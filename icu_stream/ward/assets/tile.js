/* A tile: one bed's alarm, numbers and line, drawn where they differ from what is there.
 *
 * All tiles are of one size, so that the places in them are measured once (`measures`), and a
 * text that does not fit is replaced by a shorter one, never cut.
 */
"use strict";

window.icuTile = (() => {
  const PLACES = ["hr", "spo2", "bp", "rr", "temp"]; // order of a row's "v"
  const BP = 2;
  const PRESSURE = "abp_mean"; // all pressures are shown alike
  const NOTHING = "---";
  // Lines: colour, and the least span drawn (UI: auto-scaled noise misleads).
  const LINES = {
    hr: ["--hr", 20],
    spo2: ["--spo2", 10],
    rr: ["--rr", 10],
    abp_mean: ["--bp", 20],
  };
  const POINTS = 120;
  const CHIP = 12; // px: padding and border of NEWS2 beside its text
  const ICON = 26; // px: a sign, with its gap
  // NEWS2's bands as classes; the colours are outlines, for a score is no alarm.
  const BANDS = { low: "b0", "low-medium": "b1", medium: "b2", high: "b3" };

  const { say, value: valueText, hhmm } = window.icuWords;
  const { make } = window.icuCommands;
  const { LEVELS, alarmsOf, hintsOf, fate, looks, stripTexts, hintTexts } = window.icuAlarm;
  const LABELS = PLACES.map((name) => say(`label.${name}`));
  const SOUND = window.icuSound;
  const W = () => window.icuWard;

  let density = "l";
  let sample = null; // a tile that stands for all: they are of one size
  let fits = null; // its measures

  /* Text nodes and classes are written only where they differ: 200 tiles a second. */
  function write(node, text) {
    if (node.data !== text) node.data = text;
  }
  function dress(element, className) {
    if (element.className !== className) element.className = className;
  }

  const place = (row) => row.d[0];

  /* Other tiles are made from now on, of another size. */
  function begin(newDensity) {
    density = newDensity;
    sample = fits = null;
  }

  function makeTile(row) {
    const text = () => document.createTextNode("");
    const tile = {
      bed: make("b", "", place(row)),
      who: text(),
      paused: text(),
      news: text(),
      strip: text(),
      numbers: [],
    };
    const head = make("div", "hd", tile.bed);
    if (row.d[1] !== place(row)) head.append(make("span", "who", tile.who));
    tile.sign = sign("none");
    tile.chip = make("span", "news", tile.news);
    head.append(tile.sign, make("span", "paused", tile.paused), tile.chip);
    tile.alarm = make("div", "al", tile.strip);
    const large = make("div", "large");
    const others = make("div", "others");
    PLACES.forEach((name, i) => {
      const label = document.createTextNode(LABELS[i]);
      const value = text();
      const small = text();
      const box = make(
        "div",
        `n ${name}`,
        make("i", "", label),
        make("span", "", value),
        make("small", "", small),
      );
      tile.numbers.push({ box, label, value, small, name });
      (i < BP ? large : others).append(box);
    });
    tile.canvas = make("canvas", "line");
    tile.canvas.setAttribute("aria-hidden", "true");
    tile.box = make("div", "tile", head, tile.alarm, large, others, tile.canvas);
    tile.box.setAttribute("role", row.e ? "group" : "button");
    if (!row.e) {
      tile.box.dataset.id = row.i;
      tile.box.onclick = () => W().openBed(row.i);
      tile.box.onfocus = () => W().hold(row.i);
    }
    tile.box.dataset.bed = place(row);
    tile.box.title = [...new Set([place(row), row.d[1]])].filter(Boolean).join(", ");
    sample ||= tile;
    return tile;
  }

  /* Draw what a change concerns; without a change, all of it. */
  function drawTile(tile, row, change = row) {
    const lost = W().isLost();
    if (row.e) return drawEmpty(tile, row);
    if (!row.v) return; // not whole yet
    const alarms = lost ? [] : alarmsOf(row);
    const first = alarms[0];
    const isOf = (...fields) => fields.some((field) => field in change);
    if (isOf("al", "h")) {
      const [hint] = lost || first ? [] : hintsOf(row);
      dress(tile.box, first ? `tile ${looks(first)}` : hint ? "tile hint" : "tile");
      if (first) write(tile.strip, fitting(stripTexts(first, alarms.length - 1)));
      else write(tile.strip, hint ? fitting(hintTexts(hint)) : "");
    }
    if (isOf("v", "u", "al"))
      PLACES.forEach((_, i) => drawNumber(tile.numbers[i], i, row, first));
    if (isOf("n", "d", "z", "off")) drawHead(tile, row);
    if (isOf("g", "p")) drawLine(tile, row);
    if (isOf("v", "al", "h", "z", "off")) describe(tile, row, first);
  }

  function drawEmpty(tile, row) {
    dress(tile.box, "tile empty");
    write(tile.strip, say("ward.empty"));
    tile.box.setAttribute("aria-label", say("speak.bed_empty", { bed: place(row) }));
  }

  function drawNumber(number, i, row, first) {
    const texts = numberTexts(row, i);
    const stale = texts.isKnown ? "" : " stale";
    dress(number.box, `n ${number.name}${stale}${first && first.g === i ? " inal" : ""}`);
    write(number.value, texts.value);
    write(number.small, texts.doubt + (texts.mean && density === "l" ? ` ${texts.mean}` : ""));
    write(number.label, texts.label);
  }

  /* What is written of one number: nothing that is not fresh. */
  function numberTexts(row, i) {
    const value = W().isLost() || !row.v ? null : row.v[i];
    const isKnown = value !== null;
    const doubt = isKnown && row.u.includes(i) ? "?" : "";
    if (!isKnown) return { isKnown, value: NOTHING, doubt, mean: "", label: LABELS[i] };
    if (i !== BP)
      return { isKnown, value: valueText(PLACES[i], value), doubt, mean: "", label: LABELS[i] };
    const [systolic, diastolic, middle] = value
      .slice(0, 3)
      .map((x) => (x === null ? "" : valueText(PRESSURE, x)));
    const mean = middle && `(${middle})`;
    const hasBoth = value[0] !== null && value[1] !== null;
    return {
      isKnown,
      value: hasBoth ? `${systolic}/${diastolic}` : mean,
      doubt,
      mean: hasBoth ? mean : "",
      label: value[3] === null ? LABELS[BP] : say("label.nibp", { at: hhmm(value[3]) }),
    };
  }

  /* Beside the bed: pause, patient, NEWS2. The first choice that fits; the bed is always
   * there, and so is a pause. */
  function drawHead(tile, row) {
    const [news, n] = newsTexts(row);
    const who = row.d[1] === place(row) ? "" : row.d[1];
    const [long, middle, short] = silenceTexts(row);
    const choices = [
      [long, who, news],
      [long, who, n],
      ...(long ? [[long, "", news], [long, "", n]] : []), // the word before the patient's id
      [middle, who, n],
      [middle, "", news],
      [middle, "", n],
      [short, "", n],
      [short, "", ""],
      ["", "", ""],
    ];
    const { width, bold, plain } = measures().head;
    const [kind] = silence(row);
    const start = bold(place(row)) + (kind ? ICON : 0);
    const widthOf = (texts) =>
      texts.reduce((w, text) => w + plain(text), start + (texts[2] ? CHIP : 0));
    const best = choices.find((texts) => widthOf(texts) <= width) || choices.at(-1);
    [tile.paused, tile.who, tile.news].forEach((node, i) => write(node, best[i]));
    tile.isSilent = Boolean(kind);
    dressSign(tile.sign, kind || "none");
    dress(tile.chip, best[2] ? `news ${BANDS[row.n[3]] || "b0"}` : "news");
  }

  /* What keeps a bed silent, the gravest first: its sign, until when, and by whom. */
  function silence(row) {
    if (W().isLost()) return [];
    if (row.off) return ["alarm-off", "", ""];
    if (row.z) return ["alarm-paused", timeLeft(row.z), row.z.by ? ` ${row.z.by[0]}` : ""];
    const ms = SOUND.left(row.i);
    return ms ? ["audio-paused", timeText(ms), ""] : [];
  }

  /* Beside its sign, from long to short. */
  function silenceTexts(row) {
    const [kind, left, who] = silence(row);
    if (!kind) return ["", "", ""];
    const long = say(`silence.${kind}`, { left }) + who;
    const short = kind === "alarm-off" ? say("silence.off_short") : left;
    return [long.trim(), `${short}${who}`.trim(), short];
  }

  function timeLeft(pause) {
    return pause.u === null ? "" : timeText(pause.u - W().time());
  }

  /* m:ss */
  function timeText(ms) {
    const left = Math.max(0, Math.ceil(ms / 1000));
    return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }

  /* The signs of what is silent: a bell for the sound, a triangle for the alarm itself, as on
   * monitors (IEC 60601-1-8, from operators' manuals). Two bars for what ends by itself, struck
   * through for what does not: a dashed cross, as there, is not told from a whole one at this
   * size. */
  function sign(kind) {
    const uri = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(uri, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const draw = [
      ["M11 1a7 7 0 0 0-7 7v5l-2.5 4h19l-2.5-4V8a7 7 0 0 0-7-7zM8 18.5a3 3 0 0 0 6 0z", "bell"],
      ["M12 0L24 22H0z", "triangle"],
      ["M16.5 12V24M22 12V24", "halo bars"],
      ["M16.5 13V24M22 13V24", "mark bars"],
      ["M2 22L22 2", "halo strike"],
      ["M1 23L23 1", "mark strike"],
    ];
    for (const [d, className] of draw) {
      const path = document.createElementNS(uri, "path");
      path.setAttribute("d", d);
      path.setAttribute("class", className);
      svg.append(path);
    }
    dressSign(svg, kind);
    return svg;
  }

  function dressSign(svg, kind) {
    if (svg.dataset.kind === kind) return;
    svg.dataset.kind = kind;
    svg.setAttribute("class", `sign ${kind.replace("-", " ")}`);
  }

  /* NEWS2 of fewer than seven inputs is "at least". */
  function newsTexts(row) {
    if (!row.n || W().isLost() || density === "xs") return ["", ""];
    const [total, complete] = row.n;
    const text = `${complete < 7 ? "≥" : ""}${total}`;
    return [`${say(density === "l" ? "label.news" : "label.news_short")} ${text}`, `N${text}`];
  }

  function fitting(texts) {
    const { strip } = measures();
    return texts.find((text) => strip.text(text) <= strip.width) || texts.at(-1);
  }

  /* Widths of the places in a tile, all tiles being equal, and of texts in their fonts. */
  function measures() {
    if (fits) return fits;
    const { box, canvas } = sample;
    const strip = box.querySelector(".al");
    const head = box.querySelector(".hd");
    const plain = ruler(getComputedStyle(head));
    const gap = parseFloat(getComputedStyle(head).columnGap);
    fits = {
      strip: { width: room(strip), text: ruler(getComputedStyle(strip)) },
      head: {
        width: room(head),
        bold: ruler(getComputedStyle(head.querySelector("b"))),
        plain: (text) => (text ? plain(text) + gap : 0),
      },
      line: [canvas.clientWidth, canvas.clientHeight],
    };
    return fits;
  }

  function room(element) {
    const style = getComputedStyle(element);
    const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    return element.clientWidth - padding - 1;
  }

  const pen = document.createElement("canvas").getContext("2d");
  const widths = new Map();

  /* Measures texts in one font, as if bold; what was measured is kept. */
  function ruler({ fontWeight, fontSize, fontFamily }) {
    const font = `${Math.max(700, fontWeight)} ${fontSize} ${fontFamily}`;
    return (text) => {
      const key = font + text;
      if (!widths.has(key)) {
        if (widths.size > 5000) widths.clear();
        pen.font = font;
        widths.set(key, pen.measureText(text).width);
      }
      return widths.get(key);
    };
  }

  /* All that keeps a bed silent, without the seconds: it would be read out each second. */
  function silenceSaid(row) {
    return [
      ...(row.off ? [say("silence.alarm-off")] : []),
      ...(row.z ? [row.z.f] : []),
      ...(SOUND.left(row.i) ? [say("silence.audio_said")] : []),
    ];
  }

  function describe(tile, row, first) {
    const label = W().isLost()
      ? say("speak.bed_lost", { bed: place(row) })
      : [
          say("speak.bed", { bed: place(row) }),
          first ? `${say(`level.${LEVELS[first.p]}`)}: ${first.f}, ${fate(first)}` : say("speak.no_alarm"),
          ...hintsOf(row).map((hint) => say("speak.hint", { text: hint.f })),
          ...silenceSaid(row),
          ...tile.numbers.map(({ label, value }) =>
            value.data === NOTHING
              ? say("speak.no_value", { name: label.data })
              : `${label.data} ${value.data}`,
          ),
        ].join(", ");
    if (tile.box.getAttribute("aria-label") !== label)
      tile.box.setAttribute("aria-label", label);
  }

  // ---------------------------------------------------------------- lines

  function drawLine(tile, row) {
    const line = row.g;
    const [width, height] = measures().line;
    const theme = document.documentElement.dataset.theme;
    const key = W().isLost() || !line ? "" : `${theme} ${width} ${height} ${line.c} ${line.l}`;
    if (line && line.drawn && tile.drawn === key) return;
    tile.drawn = key;
    if (line) line.drawn = true;
    const scale = devicePixelRatio || 1;
    const canvas = tile.canvas;
    canvas.width = width * scale; // also clears it
    canvas.height = height * scale;
    if (!key || height < 8) return;
    const [variable, leastSpan] = LINES[line.c];
    const style = getComputedStyle(document.documentElement);
    const pen = tile.canvas.getContext("2d");
    pen.scale(scale, scale);
    const known = line.y.filter((y) => y !== null);
    if (!known.length) return;
    const all = line.l === null ? known : [...known, line.l];
    const low = Math.min(...all);
    const high = Math.max(...all);
    const spare = Math.max(0, leastSpan - (high - low)) / 2;
    const span = high - low + 2 * spare;
    const toY = (y) => height - 2 - ((y - low + spare) / span) * (height - 4);
    const toX = (i) => ((i + POINTS - line.y.length + 0.5) / POINTS) * width;
    if (line.l !== null) {
      pen.strokeStyle = style.getPropertyValue("--muted");
      pen.setLineDash([4, 4]);
      pen.beginPath();
      pen.moveTo(0, toY(line.l));
      pen.lineTo(width, toY(line.l));
      pen.stroke();
      pen.setLineDash([]);
    }
    pen.strokeStyle = style.getPropertyValue(variable);
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    pen.beginPath();
    let isDown = false; // a gap in the data is a gap in the line
    line.y.forEach((y, i) => {
      if (y !== null) {
        if (!isDown) pen.moveTo(toX(i) - 1, toY(y)); // a point alone is seen, too
        pen.lineTo(toX(i), toY(y));
      }
      isDown = y !== null;
    });
    pen.stroke();
  }

  return {
    PLACES,
    BANDS,
    POINTS,
    write,
    dress,
    place,
    begin,
    make: makeTile,
    draw: drawTile,
    drawHead,
    numberTexts,
    timeLeft,
    timeText,
    silence,
    sign,
  };
})();
