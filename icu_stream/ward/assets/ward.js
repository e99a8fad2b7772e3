/* The ward: frames come in on one WebSocket and are drawn straight into the page.
 *
 * Dash owns the places #bar-live, #theme, #units, #attn and #ward; this file owns what is
 * inside them. It draws from `rows` and nothing else, so a place that Dash makes anew is
 * filled anew. Frames are described in icu_stream/ward/frames.py. One bed is shown by
 * one_bed.js, and commands.js sends what a person asks.
 *
 * Four rules keep a number on the screen honest:
 *   1. The server decides what is fresh; a value that is not there is drawn as ---.
 *   2. Without a frame for three seconds every value is hidden (watchdog.js).
 *   3. A gap in the frames' numbers is mended by a snapshot, never guessed over.
 *   4. A text that does not fit is replaced by a shorter one, never cut.
 */
"use strict";

(() => {
  // ---------------------------------------------------------------- constants

  const PLACES = ["hr", "spo2", "bp", "rr", "temp"]; // order of a row's "v"
  const LABELS = ["HR", "SpO₂", "BP", "RR", "Temp"];
  const BP = 2;
  const DECIMALS = [0, 0, 0, 0, 1];
  const NOTHING = "---";
  const MARKS = ["", "!", "!!", "!!!"]; // by priority
  const LEVELS = ["", "low", "medium", "high"];
  const HIGH = 3;

  const FEED_MS = 10000; // no vitals for so long: the monitors, or Kafka, are silent
  const RETRY_MS = [500, 1000, 2000, 5000];
  const CONNECT_MS = 5000; // a connection without a frame by then is given up
  const SIGN_IN = 4403; // close code: no session

  const MAX_BEDS = { l: 16, m: 48, s: 110 }; // beds up to which a density serves
  const UNITS_FROM = 49; // beds from which the units are offered one by one
  const MAX_ROWS = 8; // of the list; the style says fewer on small screens

  // Lines: colour, and the least span drawn (UI: auto-scaled noise misleads).
  const LINES = {
    hr: ["--hr", 20],
    spo2: ["--spo2", 10],
    rr: ["--rr", 10],
    abp_mean: ["--bp", 20],
  };
  const POINTS = 120;
  const NIGHT_FROM = 22;
  const NIGHT_TO = 6;

  const ASKS = window.icuCommands;
  const BED = window.icuBed;
  const CHIP = 12; // px: padding and border of NEWS2 beside its text
  const ICON = 26; // px: the crossed bell, with its gap
  // NEWS2's bands as classes; the colours are outlines, for a score is no alarm.
  const BANDS = { low: "b0", "low-medium": "b1", medium: "b2", high: "b3" };
  const NEWS = { worsened: "worse", escalated: "escalated", reminded: "reminder" };

  // ---------------------------------------------------------------- state

  const rows = new Map(); // id -> row, as the frames say
  const tiles = new Map(); // id -> the elements of its tile
  let status = { c: null, r: 0, off: 0 };
  let newest = 0; // arrival of the newest vitals
  let serverTime = 0; // of the last frame
  let lost = true; // no values may be shown
  let signedOut = false;
  let everHeard = false;
  let wasComplete = false; // every open alarm was known when the list was drawn
  const inAddress = (name) => new URLSearchParams(location.hash.slice(1)).get(name) || "";
  let unit = inAddress("unit");
  let open = ""; // id of the row whose bed is open
  let focused = ""; // id of the tile that the keys are at
  let mounted = null; // the #ward that the tiles are in
  let density = "l";
  let fits = null; // measures of the mounted tiles
  const announced = new Set(); // high alarms that were read out

  // ---------------------------------------------------------------- small things

  const collator = new Intl.Collator("en", { numeric: true });
  const clock = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  const hhmmss = (ms) => clock.format(ms);
  const hhmm = (ms) => hhmmss(ms).slice(0, 5);
  const byId = (id) => document.getElementById(id);

  const make = ASKS.make;

  /* Text nodes and classes are written only where they differ: 200 tiles a second. */
  function write(node, text) {
    if (node.data !== text) node.data = text;
  }
  function dress(element, className) {
    if (element.className !== className) element.className = className;
  }

  const place = (row) => row.d[0];
  const inOrder = (a, b) =>
    collator.compare(place(a), place(b)) || collator.compare(a.d[1], b.d[1]);
  const alarmsOf = (row) => row.al || [];
  const hintsOf = (row) => row.h || [];
  const isOpen = (alarm) => alarm.s !== "ack";
  const isWorse = (alarm) => Boolean(alarm.e && alarm.e[0] === "worsened");
  const shownRows = () =>
    [...rows.values()].filter((row) => !unit || row.d[2] === unit).sort(inOrder);

  // ---------------------------------------------------------------- the link

  const watchdog = new Worker(assetUrl("watchdog.js"));
  const waiting = new Map();
  let socket = null;
  let attempts = 0;
  let number = -1; // of the last frame
  let boot = null;

  function assetUrl(name) {
    return new URL(name, document.currentScript.src).href;
  }

  function wake(name, ms, then) {
    waiting.set(name, then);
    watchdog.postMessage({ wake: name, ms });
  }

  watchdog.onmessage = ({ data }) => {
    if (data === "lost") lose();
    else if (waiting.has(data.woke)) {
      const then = waiting.get(data.woke);
      waiting.delete(data.woke);
      then();
    }
  };

  function connect() {
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const mine = new WebSocket(scheme + location.host + "/live");
    socket = mine;
    number = -1;
    mine.onmessage = (event) => hear(JSON.parse(event.data));
    mine.onclose = (event) => {
      signedOut = event.code === SIGN_IN;
      reconnect();
    };
    wake("connected", CONNECT_MS, () => {
      if (socket === mine && number < 0) reconnect();
    });
  }

  /* Leave the socket, which may take minutes to notice that it is dead, and try anew. */
  function reconnect() {
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
      socket = null;
    }
    const ms = RETRY_MS[Math.min(attempts, RETRY_MS.length - 1)];
    attempts += 1;
    wake("retry", ms, connect);
  }

  function hear(frame) {
    const isSnapshot = frame.k === "snap";
    if (!isSnapshot && (frame.q !== number + 1 || frame.boot !== boot)) {
      reconnect(); // a frame is missing: only a snapshot says what was in it
      return;
    }
    attempts = 0;
    if (!everHeard || lost) ASKS.learn();
    everHeard = true;
    signedOut = false;
    watchdog.postMessage("heard");
    ({ q: number, boot, t: serverTime, w: newest } = frame);
    if (frame.st) status = frame.st;
    if (isSnapshot) rows.clear();
    for (const id of frame.x || []) rows.delete(id);
    for (const change of frame.b || []) take(change);

    const wasLost = lost;
    lost = false;
    if (isSnapshot || wasLost || frame.x || !mounted) drawAll();
    else draw(frame.b || []);
    document.documentElement.dataset.frame = number;
  }

  function take({ p, ...change }) {
    const row = rows.get(change.i) || {};
    rows.set(change.i, Object.assign(row, change));
    if (p !== undefined && row.g) {
      row.g.y.push(p);
      if (row.g.y.length > POINTS) row.g.y.shift();
      row.g.drawn = false;
    }
  }

  function lose() {
    lost = true;
    drawAll();
    reconnect();
  }

  // ---------------------------------------------------------------- what is drawn

  function drawAll() {
    mount();
    for (const id of tiles.keys()) drawTile(rows.get(id));
    drawAround();
    drawBed();
  }

  function draw(changes) {
    const isNew = changes.some((change) => change.d);
    if (isNew) return drawAll();
    for (const change of changes)
      if (tiles.has(change.i)) drawTile(rows.get(change.i), change);
    const isAlarm = changes.some((change) => change.al || change.h || "n" in change);
    drawAround(isAlarm);
    countDown();
    drawBed(changes.find((change) => change.i === open));
  }

  /* The pauses' seconds; all else is drawn when it changes. */
  function countDown() {
    for (const [id, tile] of tiles) {
      const row = rows.get(id);
      if (row.z && row.z.u !== null) drawHead(tile, row);
    }
  }

  function drawBed(change) {
    if (open) BED.draw(rows.get(open), { lost, serverTime, change });
  }

  function drawAround(isAlarm = true) {
    drawBar();
    const isComplete = serverTime >= status.c;
    if (isAlarm || isComplete !== wasComplete) {
      wasComplete = isComplete;
      drawUnits();
      drawList();
      announce();
      flashTogether();
    }
  }

  // ---------------------------------------------------------------- bar

  function message() {
    if (lost && signedOut)
      return ["alert", "SIGNED OUT — values hidden. Sign in again. Use bedside monitors."];
    if (lost && everHeard)
      return ["alert", "CONNECTION LOST — values hidden. Use bedside monitors."];
    if (lost) return ["", "Connecting …"];
    if (!status.r && status.c !== null) return ["", "Reading what happened before …"];
    if (serverTime - newest > FEED_MS)
      return ["alert", "NO DATA FROM MONITORS. Use bedside monitors."];
    if (status.off)
      return [
        "alert",
        `ALARMS NOT RUNNING for ${count(status.off, "patient")}. Use bedside monitors.`,
      ];
    if (serverTime < status.c)
      return ["note", `Still collecting alarms: complete at ${hhmmss(status.c)}`];
    return ["quiet", `Alarms complete at ${hhmmss(status.c)}`];
  }

  const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

  function tally(list) {
    const open = [0, 0, 0, 0]; // [acknowledged, low, medium, high]
    for (const row of list)
      for (const alarm of alarmsOf(row)) open[isOpen(alarm) ? alarm.p : 0] += 1;
    return open;
  }

  function drawBar() {
    const bar = byId("bar-live");
    if (!bar) return;
    drawTheme();
    const [kind, text] = message();
    dress(document.body, lost ? "lost" : kind === "alert" ? "trouble" : "");
    const open = lost ? [0, 0, 0, 0] : tally(rows.values());
    const beds = rows.size;
    const now = lost || !serverTime ? "" : hhmmss(serverTime);
    const key = [kind, text, open, beds, now].join("|");
    if (bar.dataset.key === key) return;
    bar.dataset.key = key;
    const parts = lost
      ? []
      : [
          chip("high", `!!! ${open[3]}`, open[3], "high"),
          chip("medium", `!! ${open[2]}`, open[2], "medium"),
          chip("low", `! ${open[1]}`, open[1], "low"),
          chip("acked", `✓ ${open[0]}`, open[0], "acknowledged"),
          make("span", "beds", count(beds, "bed")),
        ];
    bar.replaceChildren(
      make("div", "counts", ...parts),
      make("div", `message ${kind}`, text),
      make("time", "", now),
    );
  }

  function chip(className, text, n, word) {
    const element = make("span", n ? `chip ${className}` : "chip none", text);
    element.setAttribute("aria-label", `${n} ${word}`);
    element.setAttribute("role", "img");
    return element;
  }

  // ---------------------------------------------------------------- units

  function drawUnits() {
    const box = byId("units");
    if (!box) return;
    const names = [...new Set([...rows.values()].map((row) => row.d[2]))].sort(
      collator.compare,
    );
    const isOffered = unit || (rows.size >= UNITS_FROM && names.length > 1);
    const tabs = isOffered ? ["", ...names] : [];
    const texts = tabs.map((name) => {
      const list = [...rows.values()].filter((row) => !name || row.d[2] === name);
      const open = tally(list);
      const worst = [3, 2, 1].find((p) => open[p]);
      const alarms = worst && !lost ? ` ${MARKS[worst]} ${open[worst]}` : "";
      return [name || "All", alarms, worst || 0, list.length];
    });
    const key = JSON.stringify([unit, texts]);
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    box.replaceChildren(
      ...texts.map(([name, alarms, worst, beds], i) => {
        const button = make("button", "", make("b", "", name), ` ${beds}`);
        if (alarms) button.append(make("span", LEVELS[worst], alarms));
        button.type = "button";
        button.setAttribute("aria-pressed", String(tabs[i] === unit));
        button.onclick = () => choose(tabs[i]);
        return button;
      }),
    );
  }

  /* The unit is in the address, so that a screen keeps it when it is switched on again. */
  function choose(name) {
    unit = name;
    history.replaceState(history.state, "", address());
    drawAll();
  }

  function address() {
    const params = new URLSearchParams();
    if (unit) params.set("unit", unit);
    if (open) params.set("bed", open);
    return location.pathname + (params.size ? `#${params}` : "");
  }

  // ---------------------------------------------------------------- one bed

  /* The bed that is open is in the address, too: the way back is the browser's own. */
  function openBed(id) {
    if (!rows.has(id) || rows.get(id).e || id === open) return;
    const isFirst = !open;
    open = id;
    focused = id;
    history[isFirst ? "pushState" : "replaceState"]({ bed: true }, "", address());
    rove();
    drawBed();
    BED.focus();
  }

  function closeBed() {
    if (!open) return;
    if (history.state && history.state.bed) history.back();
    else {
      open = "";
      history.replaceState(null, "", address());
      hideBed();
    }
  }

  function hideBed() {
    open = "";
    BED.hide();
    const tile = tiles.get(focused);
    if (tile) tile.box.focus();
  }

  window.addEventListener("popstate", () => {
    const id = inAddress("bed");
    unit = inAddress("unit");
    if (!id && open) hideBed();
    else if (id && rows.has(id)) open = id;
    if (mounted) drawAll();
  });

  /* The first open alarm of a tile; never many at once that are high. */
  function acknowledge(row) {
    const alarm = alarmsOf(row).find((a) => isOpen(a) && a.i !== "page.no_data");
    if (alarm) askAcknowledge(row, alarm);
  }

  function askAcknowledge(row, alarm) {
    ASKS.ask("acknowledge", alarm.i, `${place(row)}, ${alarm.m[0]}`, {
      patient: row.i,
      alert: alarm.i,
    });
  }

  // ---------------------------------------------------------------- keys

  /* One tile can be reached by Tab, the arrows move from there. */
  function rove() {
    if (!tiles.has(focused)) focused = [...tiles.keys()].find(isTaken) || "";
    for (const [id, tile] of tiles) {
      if (!isTaken(id)) continue;
      const index = id === focused ? "0" : "-1";
      if (tile.box.getAttribute("tabindex") !== index) tile.box.setAttribute("tabindex", index);
    }
  }

  const isTaken = (id) => "id" in tiles.get(id).box.dataset; // no empty bed

  function move(step) {
    const ids = [...tiles.keys()];
    let at = ids.indexOf(focused) + step;
    while (ids[at] && !isTaken(ids[at])) at += step;
    if (!ids[at]) return;
    focused = ids[at];
    rove();
    tiles.get(focused).box.focus();
  }

  function columns() {
    return getComputedStyle(mounted).gridTemplateColumns.split(" ").length;
  }

  const STEPS = {
    ArrowLeft: () => -1,
    ArrowRight: () => 1,
    ArrowUp: () => -columns(),
    ArrowDown: () => columns(),
  };

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, dialog")) return;
    if (event.key === "?") return showKeys();
    if (event.key === "Escape") return closeBed();
    const box = event.target.closest(".tile[data-id]");
    if (!box) return;
    const { id } = box.dataset;
    if (STEPS[event.key]) move(STEPS[event.key]());
    else if (event.key === "Enter" || event.key === " ") openBed(id);
    else if (event.key === "a" || event.key === "A") acknowledge(rows.get(id));
    else return;
    event.preventDefault();
  }

  function showKeys() {
    const dialog = make("dialog", "keys");
    const lines = [
      ["arrows", "from bed to bed"],
      ["Enter", "open the bed"],
      ["A", "acknowledge the alarm that the tile shows"],
      ["Esc", "back to the ward"],
      ["?", "these keys"],
    ].map(([key, text]) => make("p", "", make("kbd", "", key), ` ${text}`));
    const close = ASKS.button("Close", () => dialog.close());
    dialog.setAttribute("aria-label", "Keys");
    dialog.append(...lines, close);
    dialog.onclose = () => dialog.remove();
    document.body.append(dialog);
    dialog.showModal();
  }

  // ---------------------------------------------------------------- needs attention

  function drawList() {
    const box = byId("attn");
    if (!box) return;
    if (lost) return freeze(box);
    const needy = shownRows()
      .filter((row) => alarmsOf(row).length)
      .sort(byNeed);
    const key = JSON.stringify([
      status.r,
      wasComplete,
      unit,
      needy.map((row) => [row.d, row.al]),
      shownRows().filter((row) => hintsOf(row).length).map((row) => row.d),
      density,
    ]);
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    const wanted = Number(getComputedStyle(box).getPropertyValue("--rows")) || MAX_ROWS;
    const title = unit ? `Needs attention in ${unit}` : "Needs attention";
    const held = document.activeElement && document.activeElement.dataset.row;
    const list = make("div", "list", ...needy.slice(0, wanted).map(listRow));
    list.setAttribute("role", "list");
    const more = make("div", "more");
    const hinted = shownRows().filter((row) => hintsOf(row).length);
    const hints = make("div", "hints");
    if (hinted.length) {
      const named = hinted.slice(0, 4).map(place).join(", ");
      const rest = hinted.length > 4 ? ` + ${hinted.length - 4}` : "";
      hints.textContent = `◇ ${count(hinted.length, "hint")}, no alarm: ${named}${rest}`;
    }
    box.replaceChildren(make("h2", "", title), list, more, hints);
    if (!needy.length) {
      const known = wasComplete ? "No open alarms." : "No open alarms known yet.";
      list.replaceWith(make("p", "none", status.r ? known : "…"));
    }
    const say = () => {
      const left = needy.length - list.childElementCount;
      more.textContent = left ? `+ ${count(left, "more bed")} with alarms` : "";
    };
    say();
    // What does not fit is counted instead of being cut.
    while (list.childElementCount > 1 && box.scrollHeight > box.clientHeight) {
      list.lastElementChild.remove();
      say();
    }
    if (held) {
      const same = [...list.querySelectorAll(".row")].find((e) => e.dataset.row === held);
      if (same) same.focus();
    }
  }

  /* Unacknowledged first, then priority, then the oldest, then who is getting worse. */
  function byNeed(a, b) {
    const [x, y] = [a.al[0], b.al[0]];
    const rise = (row) => (row.n ? row.n[2] : 0);
    return (
      isOpen(y) - isOpen(x) ||
      y.p - x.p ||
      x.o - y.o ||
      rise(b) - rise(a) ||
      inOrder(a, b)
    );
  }

  function listRow(row) {
    const [first, ...others] = row.al;
    const head = make("span", "head", make("b", "", place(row)));
    if (row.d[1] !== place(row)) head.append(make("span", "who", row.d[1]));
    if (others.length) head.append(make("span", "others", `+${others.length}`));
    const word = first.w ? `${first.w}: ` : "";
    const text = make("span", "text", `${MARKS[first.p]} ${word}${first.f}`);
    const element = make("button", `row ${looks(first)}`, head, text);
    element.type = "button";
    element.dataset.row = row.i;
    element.onclick = () => openBed(row.i);
    element.append(make("small", "", fate(first)));
    const item = make("div", "item", element);
    item.setAttribute("role", "listitem");
    return item;
  }

  /* What became of an alarm since it began. */
  function fate(alarm) {
    const at = alarm.at ? ` ${hhmm(alarm.at)}` : "";
    const parts = [];
    if (alarm.s === "latched") parts.push(`ended${at}, not acknowledged`);
    else parts.push(`since ${hhmm(alarm.o)}`);
    if (alarm.e) parts.push(`${isWorse(alarm) ? "▲ " : ""}${NEWS[alarm.e[0]]} ${hhmm(alarm.e[1])}`);
    if (alarm.s === "ack")
      parts.push(`✓ acknowledged${at}${alarm.by ? ` by ${alarm.by[1]}` : ""}`);
    if (alarm.x) parts.push(`not confirmed since ${hhmm(alarm.x)}`);
    return parts.join(" · ");
  }

  function looks(alarm) {
    const kind = alarm.k === "technical" ? " technical" : "";
    const worse = isWorse(alarm) ? " worse" : "";
    return `${LEVELS[alarm.p]} ${alarm.s}${kind}${alarm.x ? " doubtful" : ""}${worse}`;
  }

  function freeze(box) {
    const title = box.querySelector("h2");
    if (title && serverTime) title.textContent = `Last known ${hhmmss(serverTime)}`;
    delete box.dataset.key;
  }

  function announce() {
    const live = byId("live-alarm");
    if (!live || lost) return;
    const now = new Set();
    const fresh = [];
    for (const row of rows.values())
      for (const alarm of alarmsOf(row))
        if (alarm.p === HIGH && isOpen(alarm)) {
          // What is told anew is read out anew.
          const key = `${alarm.i} ${alarm.e ? alarm.e[1] : ""}`;
          now.add(key);
          const news = alarm.e ? `${NEWS[alarm.e[0]]}, ` : "";
          if (!announced.has(key)) fresh.push(`Bed ${place(row)}: ${news}${alarm.f}`);
        }
    announced.clear();
    for (const id of now) announced.add(id);
    if (fresh.length) live.textContent = fresh.join(". ");
  }

  // ---------------------------------------------------------------- tiles

  /* Make the tiles when there are other beds, another place or another density. */
  function mount() {
    const ward = byId("ward");
    if (!ward) {
      mounted = null;
      tiles.clear();
      return;
    }
    const list = shownRows();
    const wanted = densityFor(list.length);
    const key = [wanted, ...list.map((row) => [row.i, row.d, row.e])].join("|");
    if (ward === mounted && ward.dataset.key === key) return;
    mounted = ward;
    density = wanted;
    ward.dataset.key = key;
    ward.dataset.density = density;
    const hadFocus = ward.contains(document.activeElement);
    tiles.clear();
    for (const row of list) tiles.set(row.i, makeTile(row));
    if (list.length) ward.replaceChildren(...[...tiles.values()].map((t) => t.box));
    else ward.replaceChildren(...placeholder());
    fits = null;
    rove();
    if (hadFocus && tiles.has(focused)) tiles.get(focused).box.focus();
    if (open && !rows.has(open) && !lost) closeBed();
    else if (!open && rows.has(inAddress("bed"))) open = inAddress("bed");
  }

  function densityFor(n) {
    if (matchMedia("(max-width: 1899px)").matches) return "m";
    return n <= MAX_BEDS.l ? "l" : n <= MAX_BEDS.m ? "m" : n <= MAX_BEDS.s ? "s" : "xs";
  }

  /* Loading is shown as the shape of tiles, without a digit. */
  function placeholder() {
    if (everHeard && status.r && !lost)
      return [make("p", "nobody", unit ? `No beds in ${unit}.` : "No beds assigned.")];
    return Array.from({ length: 16 }, () => make("div", "tile skeleton"));
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
    tile.bell = bell();
    tile.bell.style.display = "none";
    tile.chip = make("span", "news", tile.news);
    head.append(tile.bell, make("span", "paused", tile.paused), tile.chip);
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
      tile.box.onclick = () => openBed(row.i);
      tile.box.onfocus = () => {
        focused = row.i;
        rove();
      };
    }
    tile.box.dataset.bed = place(row);
    tile.box.title = [...new Set([place(row), row.d[1]])].filter(Boolean).join(", ");
    return tile;
  }

  /* Draw what a change concerns; without a change, all of it. */
  function drawTile(row, change = row) {
    const tile = tiles.get(row.i);
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
    if (isOf("n", "d", "z")) drawHead(tile, row);
    if (isOf("g", "p")) drawLine(tile, row);
    if (isOf("v", "al", "h", "z")) describe(tile, row, first);
  }

  function drawEmpty(tile, row) {
    dress(tile.box, "tile empty");
    write(tile.strip, "Empty");
    tile.box.setAttribute("aria-label", `Bed ${place(row)}, empty`);
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
    const value = lost || !row.v ? null : row.v[i];
    const isKnown = value !== null;
    const doubt = isKnown && row.u.includes(i) ? "?" : "";
    if (!isKnown) return { isKnown, value: NOTHING, doubt, mean: "", label: LABELS[i] };
    if (i !== BP)
      return { isKnown, value: value.toFixed(DECIMALS[i]), doubt, mean: "", label: LABELS[i] };
    const mean = value[2] === null ? "" : `(${value[2]})`;
    const hasBoth = value[0] !== null && value[1] !== null;
    return {
      isKnown,
      value: hasBoth ? `${value[0]}/${value[1]}` : mean,
      doubt,
      mean: hasBoth ? mean : "",
      label: value[3] === null ? "BP" : `NIBP ${hhmm(value[3])}`,
    };
  }

  /* Beside the bed: pause, patient, NEWS2. The first choice that fits; the bed is always
   * there, and so is a pause. */
  function drawHead(tile, row) {
    const [news, n] = newsTexts(row);
    const who = row.d[1] === place(row) ? "" : row.d[1];
    const [long, middle, short] = pauseTexts(row);
    const choices = [
      [long, who, news],
      [long, who, n],
      [middle, who, n],
      [middle, "", news],
      [middle, "", n],
      [short, "", n],
      [short, "", ""],
      ["", "", ""],
    ];
    const { width, bold, plain } = measures().head;
    const isPaused = Boolean(row.z && !lost);
    const begin = bold(place(row)) + (isPaused ? ICON : 0);
    const widthOf = (texts) =>
      texts.reduce((w, text) => w + plain(text), begin + (texts[2] ? CHIP : 0));
    const best = choices.find((texts) => widthOf(texts) <= width) || choices.at(-1);
    [tile.paused, tile.who, tile.news].forEach((node, i) => write(node, best[i]));
    const shown = isPaused ? "" : "none";
    if (tile.bell.style.display !== shown) tile.bell.style.display = shown;
    dress(tile.chip, best[2] ? `news ${BANDS[row.n[3]] || "b0"}` : "news");
  }

  /* A pause: who, and how long it still lasts. Beside the bell, from long to short. */
  function pauseTexts(row) {
    if (!row.z || lost) return ["", "", ""];
    const left = timeLeft(row.z);
    const who = row.z.by ? ` ${row.z.by[0]}` : "";
    return [`paused ${left}${who}`.trim(), `${left}${who}`.trim(), left];
  }

  function timeLeft(pause) {
    if (pause.u === null) return "";
    const left = Math.max(0, Math.ceil((pause.u - serverTime) / 1000));
    return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }

  /* The sign for alarms that are paused: a bell, crossed. */
  function bell() {
    const uri = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(uri, "svg");
    svg.setAttribute("class", "bell");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const draw = [
      ["M12 3a6 6 0 0 0-6 6v5l-2 3h16l-2-3V9a6 6 0 0 0-6-6zm-2 16a2 2 0 0 0 4 0z", "shape"],
      ["M3 3L21 21M21 3L3 21", "cross"],
    ];
    for (const [d, className] of draw) {
      const path = document.createElementNS(uri, "path");
      path.setAttribute("d", d);
      path.setAttribute("class", className);
      svg.append(path);
    }
    return svg;
  }

  /* NEWS2 of fewer than seven inputs is "at least". */
  function newsTexts(row) {
    if (!row.n || lost || density === "xs") return ["", ""];
    const [total, complete] = row.n;
    const text = `${complete < 7 ? "≥" : ""}${total}`;
    return [`${density === "l" ? "NEWS2" : "NEWS"} ${text}`, `N${text}`];
  }

  /* The text of a strip, from the longest to the shortest that still says it. */
  function stripTexts(alarm, more) {
    const [long, middle, short] = alarm.m;
    const plain = alarm.s === "latched" ? `(${MARKS[alarm.p]})` : MARKS[alarm.p];
    const mark = isWorse(alarm) ? `${plain}▲` : plain;
    const word = alarm.w ? `${alarm.w} ` : "";
    const who = alarm.by ? alarm.by[0] : "";
    const at = alarm.at ? ` ${hhmm(alarm.at)}` : "";
    const tails = {
      on: ["", "", ""],
      ack: [`  ✓ ${who}`, ` ✓${who}`, "✓"],
      latched: [`, ended${at}`, " ended", ""],
    }[alarm.s];
    const doubts = alarm.x ? [", not confirmed", " not conf.", "?"] : ["", "", ""];
    const others = more ? [`  +${more}`, ` +${more}`, ""] : ["", "", ""];
    const wish = ASKS.of("acknowledge", alarm.i);
    const state = wish && alarm.s !== "ack" ? wish.state : "";
    const asked = { sending: ["  sending …", " …", "…"], done: ["", "", ""] }[state] ||
      (state ? ["  not confirmed", " not conf.", "?"] : ["", "", ""]);
    const tail = (i) => asked[i] + tails[i] + doubts[i] + others[i];
    return [
      `${mark} ${word}${long}${tail(0)}`,
      `${mark} ${word}${long}${tail(1)}`,
      `${mark} ${word}${middle}${tail(1)}`,
      `${mark}${word}${middle}${tail(1)}`,
      `${mark} ${short}${tail(1)}`,
      `${mark} ${short}${tail(2)}`,
      `${mark}${short}${tail(2)}`,
      `${plain}${short}`,
    ];
  }

  function hintTexts(hint) {
    const [long, middle, short] = hint.m;
    return [`◇ ${hint.w}: ${long}`, `◇ ${hint.w}: ${middle}`, `◇ ${middle}`, `◇ ${short}`, "◇"];
  }

  function fitting(texts) {
    const { strip } = measures();
    return texts.find((text) => strip.text(text) <= strip.width) || texts.at(-1);
  }

  /* Widths of the places in a tile, all tiles being equal, and of texts in their fonts. */
  function measures() {
    if (fits) return fits;
    const [{ box, canvas }] = tiles.values();
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

  function describe(tile, row, first) {
    const label = lost
      ? `Bed ${place(row)}, no connection`
      : [
          `Bed ${place(row)}`,
          first ? `${LEVELS[first.p]} priority: ${first.f}, ${fate(first)}` : "no alarm",
          ...hintsOf(row).map((hint) => `hint: ${hint.f}`),
          ...(row.z ? [row.z.f] : []),
          ...tile.numbers.map((n) => `${n.label.data} ${n.value.data === NOTHING ? "no value" : n.value.data}`),
        ].join(", ");
    if (tile.box.getAttribute("aria-label") !== label)
      tile.box.setAttribute("aria-label", label);
  }

  // ---------------------------------------------------------------- lines

  function drawLine(tile, row) {
    const line = row.g;
    const [width, height] = measures().line;
    const theme = document.documentElement.dataset.theme;
    const key = lost || !line ? "" : `${theme} ${width} ${height} ${line.c} ${line.l}`;
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

  // ---------------------------------------------------------------- flashing, themes

  /* All strips of a priority flash in one phase: many phases would be one long flicker. */
  function flashTogether() {
    for (const animation of document.getAnimations())
      if (animation.startTime !== 0) animation.startTime = 0;
  }

  function isNight() {
    const hour = new Date().getHours();
    return hour >= NIGHT_FROM || hour < NIGHT_TO;
  }

  const THEMES = { auto: "Auto", dark: "Dark", light: "Light", night: "Night" };
  const stored = localStorage.getItem("theme");
  let theme = stored in THEMES ? stored : "auto";

  function applyTheme() {
    const name = theme === "auto" ? (isNight() ? "night" : "dark") : theme;
    if (document.documentElement.dataset.theme === name) return;
    document.documentElement.dataset.theme = name;
    if (mounted) drawAll();
  }

  function checkHour() {
    applyTheme();
    wake("hour", 30000, checkHour);
  }

  function drawTheme() {
    const box = byId("theme");
    if (!box || box.firstChild) return;
    const select = make("select");
    for (const [value, text] of Object.entries(THEMES)) {
      const option = make("option", "", text);
      option.value = value;
      option.selected = value === theme;
      select.append(option);
    }
    select.onchange = () => {
      theme = select.value;
      localStorage.setItem("theme", theme);
      applyTheme();
    };
    box.append(make("label", "", "Colours ", select));
  }

  // ---------------------------------------------------------------- begin

  window.icuWard = {
    make,
    write,
    dress,
    count,
    hhmm,
    hhmmss,
    fate,
    looks,
    isOpen,
    place,
    alarmsOf,
    hintsOf,
    numberTexts,
    timeLeft,
    bell,
    closeBed,
    askAcknowledge,
    isLost: () => lost,
    MARKS,
    LEVELS,
    PLACES,
    BANDS,
  };
  document.addEventListener("keydown", onKey);
  ASKS.onChange(() => {
    for (const id of tiles.keys()) drawTile(rows.get(id));
    drawBed();
  });

  /* Dash makes #ward when it has loaded, and anew when the page is changed. */
  new MutationObserver(() => {
    if (byId("ward") !== mounted) drawAll();
  }).observe(document.body, { childList: true, subtree: true });

  let resizing = null;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(() => {
      if (mounted) delete mounted.dataset.key;
      const box = byId("attn");
      if (box) delete box.dataset.key;
      drawAll();
    });
  });

  checkHour();
  connect();
})();
