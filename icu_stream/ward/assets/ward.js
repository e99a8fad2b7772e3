/* The ward: frames come in on one WebSocket and are drawn straight into the page.
 *
 * Dash owns the places #bar-live, #theme, #units, #attn and #ward; this file owns what is
 * inside them. It draws from `rows` and nothing else, so a place that Dash makes anew is
 * filled anew. Frames are described in icu_stream/ward/frames.py.
 *
 * Words, numbers and times are `icuWords` (icu_stream/ward/catalogue/words.js), loaded first.
 * Dash loads these files in the order of their names; this one comes last and begins:
 *   alarm.js     what is said of an alarm
 *   commands.js  what a person asks, and what became of it
 *   link.js      the socket
 *   one_bed.js   one bed beside the ward
 *   phone.js     what a phone has besides
 *   proof.js     does the chain live: the bar's message
 *   sound.js     what is heard of the alarms
 *   tile.js      one bed in the ward
 *   ward.js      all of them: bar, units, list, tiles, keys
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

  const MAX_BEDS = { l: 16, m: 48, s: 110 }; // beds up to which a density serves
  const UNITS_FROM = 49; // beds from which the units are offered one by one
  const MAX_ROWS = 8; // of the list; the style says fewer on small screens
  const SORT_MS = 10000; // UI: tiles are sorted at most so often
  const SPOKEN = 8; // what was read out stays so long, for a reader that is slow

  const BED_PATH = "/bed/";
  const NIGHT_FROM = 22;
  const NIGHT_TO = 6;

  const ASKS = window.icuCommands;
  const BED = window.icuBed;
  const LINK = window.icuLink;
  const PHONE = window.icuPhone;
  const PROOF = window.icuProof;
  const SOUND = window.icuSound;
  const TILE = window.icuTile;
  const { make } = ASKS;
  const { say, hhmm, hhmmss, hour } = window.icuWords;
  const { MARKS, LEVELS, HIGH, alarmsOf, hintsOf } = window.icuAlarm;
  const { isOpen, fate, looks, keyOf } = window.icuAlarm;
  const { write, dress, place } = TILE;

  // ---------------------------------------------------------------- state

  const rows = new Map(); // id -> row, as the frames say
  const tiles = new Map(); // id -> the elements of its tile
  let status = { c: null, r: 0, dead: null, k: 0 };
  let newest = 0; // arrival of the newest vitals
  let serverTime = 0; // of the last frame
  let lost = true; // no values may be shown
  let everHeard = false;
  let wasComplete = false; // every open alarm was known when the list was drawn
  const unitInAddress = () => new URLSearchParams(location.hash.slice(1)).get("unit") || "";
  let unit = unitInAddress();
  let open = ""; // id of the row whose bed is open
  let focused = ""; // id of the tile that the keys are at
  let isOwed = false; // the focus, since a bed was closed and nothing was done since
  let mounted = null; // the #ward that the tiles are in
  let density = "l";
  let announced = new Set(); // what is read out: high alarms, and the bar's own
  let shown = null; // the rows that this screen shows, in the order of the beds
  let isPersonal = false; // a person's session, not the screen's, as long as there was one
  let isByNeed = localStorage.order === "need"; // tiles: worst first
  let sortedAt = 0;

  // ---------------------------------------------------------------- small things

  const collator = new Intl.Collator("en", { numeric: true });
  const byId = (id) => document.getElementById(id);

  const inOrder = (a, b) =>
    collator.compare(place(a), place(b)) || collator.compare(a.d[1], b.d[1]);
  function shownRows() {
    shown ||= [...rows.values()].filter((row) => !unit || row.d[2] === unit).sort(inOrder);
    return shown;
  }

  // ---------------------------------------------------------------- frames

  function hear(frame) {
    if (!everHeard || lost) ASKS.learn();
    everHeard = true;
    const isSnapshot = frame.k === "snap";
    ({ t: serverTime, w: newest } = frame);
    if (frame.st) status = frame.st;
    if (isSnapshot) rows.clear();
    for (const id of frame.x || []) rows.delete(id);
    for (const change of frame.b || []) take(change);

    const wasLost = lost;
    lost = false;
    if (isSnapshot || wasLost || frame.x || !mounted || !rows.size) drawAll();
    else draw(frame.b || []);
    sortTiles();
    sound();
    PROOF.prove(frame, status);
  }

  /* Frames step it; without them, the Worker's clock does. Whose own session is over has left
   * this browser: a screen that should be heard has a session of its own. */
  function sound() {
    if (!lost) isPersonal = Boolean(ASKS.me().isPersonal);
    const isLeft = lost && isPersonal && LINK.isSignedOut();
    const isTrouble = message()[0] === "alert" && !isLeft;
    SOUND.step({ rows: lost ? [] : shownRows(), time: lost ? 0 : serverTime, isTrouble });
    if (lost) LINK.wake("sound", 500, () => lost && sound());
  }

  function take({ p, ...change }) {
    const row = rows.get(change.i) || {};
    rows.set(change.i, Object.assign(row, change));
    if (p !== undefined && row.g) {
      row.g.y.push(p);
      if (row.g.y.length > TILE.POINTS) row.g.y.shift();
      row.g.drawn = false;
    }
  }

  function lose() {
    lost = true;
    drawAll();
    sound();
  }

  // ---------------------------------------------------------------- what is drawn

  function drawAll() {
    shown = null;
    mount();
    drawTiles();
    drawAround();
    drawBed();
  }

  function drawTiles() {
    for (const [id, tile] of tiles) TILE.draw(tile, rows.get(id));
  }

  function draw(changes) {
    const isNew = changes.some((change) => change.d);
    if (isNew) return drawAll();
    for (const change of changes)
      if (tiles.has(change.i)) TILE.draw(tiles.get(change.i), rows.get(change.i), change);
    const isAlarm = changes.some((change) =>
      ["al", "h", "n", "z", "off"].some((field) => field in change),
    );
    drawAround(isAlarm);
    countDown();
    drawBed(changes.find((change) => change.i === open));
  }

  /* The pauses' seconds; all else is drawn when it changes. */
  function countDown() {
    for (const [id, tile] of tiles) {
      const row = rows.get(id);
      if (tile.isSilent || row.z || SOUND.left(id)) TILE.drawHead(tile, row);
    }
  }

  function drawBed(change) {
    if (!open || !mounted) return;
    const row = rows.get(open);
    if (row && !row.e) BED.draw(row, { lost, serverTime, change });
    else if (status.r && !lost) BED.drawGone(open);
  }

  function drawAround(isAlarm = true) {
    drawBar();
    const isComplete = serverTime >= status.c;
    if (isAlarm || isComplete !== wasComplete) {
      wasComplete = isComplete;
      drawUnits();
      drawList();
    }
    announce();
  }

  // ---------------------------------------------------------------- bar

  const message = () => PROOF.message({ lost, everHeard, serverTime, newest, status });

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
    const key = [kind, text, open, beds, isByNeed, now].join("|");
    if (bar.dataset.key === key) return;
    bar.dataset.key = key;
    const parts = lost
      ? []
      : [
          chip("high", `!!! ${open[3]}`, open[3], "high"),
          chip("medium", `!! ${open[2]}`, open[2], "medium"),
          chip("low", `! ${open[1]}`, open[1], "low"),
          chip("acked", `✓ ${open[0]}`, open[0], "acknowledged"),
          make("span", "beds", say("count.beds", { n: beds })),
          ...(isByNeed ? [make("span", "beds", say("order.short"))] : []),
        ];
    bar.replaceChildren(
      make("div", "counts", ...parts),
      make("div", `message ${kind}`, text),
      make("time", "", now),
    );
  }

  function chip(className, text, n, level) {
    const element = make("span", n ? `chip ${className}` : "chip none", text);
    element.dataset.level = level;
    element.dataset.n = n;
    element.setAttribute("aria-label", say(`bar.${level}`, { n }));
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
      return [name || say("ward.all"), alarms, worst || 0, list.length];
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
    const path = open ? BED_PATH + encodeURIComponent(open) : "/";
    return path + (unit ? `#${new URLSearchParams({ unit })}` : "");
  }

  // ---------------------------------------------------------------- one bed

  /* The bed that is open has an address of its own: the way back is the browser's. */
  function bedInAddress() {
    if (!location.pathname.startsWith(BED_PATH)) return "";
    try {
      return decodeURIComponent(location.pathname.slice(BED_PATH.length));
    } catch {
      return "?"; // no patient's id
    }
  }

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
    isOwed = true;
    giveFocus();
  }

  /* Where a bed was opened from has the focus again, also when Dash makes the ward anew. */
  function giveFocus() {
    const tile = tiles.get(focused);
    if (tile && isOwed) tile.box.focus();
  }

  window.addEventListener("popstate", () => {
    const id = bedInAddress();
    unit = unitInAddress();
    if (!id && open) hideBed();
    else if (id) open = id;
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

  /* The keys are at this tile now. */
  function hold(id) {
    focused = id;
    rove();
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
    const box = event.target.closest(".tile[data-id], .row[data-row]");
    if (!box) return;
    const id = box.dataset.id || box.dataset.row;
    const key = event.key.toLowerCase();
    if (key === "a") acknowledge(rows.get(id));
    else if (key === "s") SOUND.toggle(rows.get(id));
    else if (!box.dataset.id) return; // a row of the list is a button by itself
    else if (STEPS[event.key]) move(STEPS[event.key]());
    else if (event.key === "Enter" || event.key === " ") openBed(id);
    else return;
    event.preventDefault();
  }

  function showKeys() {
    const dialog = make("dialog", "keys");
    const lines = [
      [say("keys.arrows"), say("keys.arrows_do")],
      [say("keys.enter"), say("keys.enter_do")],
      ["A", say("keys.acknowledge_do")],
      ["S", say("keys.sound_do")],
      [say("keys.escape"), say("keys.escape_do")],
      ["?", say("keys.help_do")],
    ].map(([key, text]) => make("p", "", make("kbd", "", key), ` ${text}`));
    const signs = ["audio-paused", "alarm-paused", "audio-off", "alarm-off"].map((kind) =>
      make("p", "", make("kbd", "", TILE.sign(kind)), ` ${say(`sign.${kind}`)}`),
    );
    signs.push(make("p", "", make("kbd", "", "✓"), ` ${say("sign.acknowledged")}`));
    const close = ASKS.button(say("ask.close"), () => dialog.close());
    dialog.setAttribute("aria-label", say("keys.title"));
    dialog.append(...lines, make("hr"), ...signs, close);
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
      needy.map((row) => [row.d, row.al, TILE.silence(row)[0]]),
      shownRows().filter((row) => hintsOf(row).length).map((row) => row.d),
      density,
    ]);
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    const wanted = Number(getComputedStyle(box).getPropertyValue("--rows")) || MAX_ROWS;
    const title = unit ? say("list.title_unit", { unit }) : say("list.title");
    const held = document.activeElement && document.activeElement.dataset.row;
    const list = make("div", "list", ...needy.slice(0, wanted).map(listRow));
    list.setAttribute("role", "list");
    const more = make("div", "more");
    const hinted = shownRows().filter((row) => hintsOf(row).length);
    const hints = make("div", "hints");
    if (hinted.length) {
      const named = hinted.slice(0, 4).map(place).join(", ");
      const rest = hinted.length > 4 ? ` + ${hinted.length - 4}` : "";
      const said = say("count.hints", { n: hinted.length, beds: named + rest });
      hints.textContent = `◇ ${said}`;
    }
    box.replaceChildren(make("h2", "", title), list, more, hints);
    if (!needy.length) {
      const known = wasComplete ? say("list.none") : say("list.none_known");
      list.replaceWith(make("p", "none", status.r ? known : "…"));
    }
    const tell = () => {
      const n = needy.length - list.childElementCount;
      more.textContent = n ? say("count.more", { n }) : "";
    };
    tell();
    // What does not fit is counted instead of being cut.
    while (list.childElementCount > 1 && box.scrollHeight > box.clientHeight) {
      list.lastElementChild.remove();
      tell();
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
    const [silence] = TILE.silence(row);
    if (silence) {
      const mark = make("span", "silent", TILE.sign(silence));
      mark.title = say(`sign.${silence}`);
      head.append(mark);
    }
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

  function freeze(box) {
    const title = box.querySelector("h2");
    if (title && serverTime) title.textContent = say("list.last_known", { at: hhmmss(serverTime) });
    delete box.dataset.key;
  }

  /* Each new high alarm is read out once, and so is the bar's own alarm. */
  function announce() {
    const [kind, text] = message();
    const now = new Map();
    if (kind === "alert") now.set(text, text);
    for (const row of lost ? [] : rows.values())
      for (const alarm of alarmsOf(row))
        if (alarm.p === HIGH && isOpen(alarm)) {
          const anew = alarm.e ? say(`anew.${alarm.e[0]}`) : "";
          const fields = { bed: place(row), text: alarm.f, anew };
          now.set(keyOf(alarm), say(anew ? "speak.anew" : "speak.new", fields));
        }
    const live = byId("live-alarm");
    if (!live) return;
    const fresh = [...now].filter(([key]) => !announced.has(key));
    // Without a connection nothing is known: what was read out is not forgotten.
    announced = new Set([...now.keys(), ...(lost ? announced : [])]);
    live.append(...fresh.map(([, words]) => make("p", "", words)));
    while (live.childElementCount > Math.max(SPOKEN, fresh.length)) live.firstChild.remove();
  }

  // ---------------------------------------------------------------- tiles

  /* Make the tiles when there are other beds, another place or another density. */
  function mount() {
    const ward = byId("ward");
    if (!ward) {
      mounted = null;
      tiles.clear();
      if (open) BED.hide();
      open = "";
      return;
    }
    const list = shownRows();
    const wanted = densityFor(list.length);
    const empty = !list.length && isKnownEmpty();
    const beds = list.map((row) => [row.i, row.d, row.e]);
    const key = [wanted, PHONE.key(), empty, ...beds].join("|");
    if (ward === mounted && ward.dataset.key === key) return;
    mounted = ward;
    density = wanted;
    ward.dataset.key = key;
    ward.dataset.density = density;
    const hadFocus = ward.contains(document.activeElement);
    tiles.clear();
    TILE.begin(density);
    for (const row of list) tiles.set(row.i, TILE.make(row));
    if (list.length) PHONE.place(ward, tiles);
    else ward.replaceChildren(...placeholder());
    sortedAt = 0;
    rove();
    if (hadFocus && tiles.has(focused)) tiles.get(focused).box.focus();
    open ||= bedInAddress();
    if (open) focused = open;
    else if (document.activeElement === document.body) giveFocus();
  }

  /* The worst beds first, where that was chosen: never under a hand, nor too often. */
  function sortTiles() {
    if (!isByNeed || !mounted || Math.abs(serverTime - sortedAt) < SORT_MS) return;
    const hand = matchMedia("(hover: hover)").matches ? ":hover" : ":active";
    if (mounted.matches(hand) || mounted.contains(document.activeElement)) return;
    sortedAt = serverTime;
    const list = shownRows();
    const needy = list.filter((row) => alarmsOf(row).length).sort(byNeed);
    const ids = [...needy, ...list.filter((row) => !alarmsOf(row).length)].map((row) => row.i);
    const before = [...tiles.keys()];
    if (ids.every((id, i) => id === before[i])) return;
    const sorted = ids.map((id) => [id, tiles.get(id)]);
    tiles.clear();
    for (const [id, tile] of sorted) tiles.set(id, tile);
    PHONE.place(mounted, tiles);
    rove();
  }

  /* What may be chosen about the tiles at this screen. */
  function choices() {
    const select = make("select");
    for (const order of ["beds", "need"]) {
      const option = make("option", "", say(`order.${order}`));
      option.value = order;
      option.selected = (order === "need") === isByNeed;
      select.append(option);
    }
    select.onchange = () => {
      localStorage.order = select.value;
      isByNeed = select.value === "need";
      sortedAt = 0;
      if (mounted) delete mounted.dataset.key;
      drawAll();
    };
    return [make("p", "", make("label", "", `${say("order.label")} `, select))];
  }

  function densityFor(n) {
    if (matchMedia("(max-width: 1899px)").matches) return "m";
    return n <= MAX_BEDS.l ? "l" : n <= MAX_BEDS.m ? "m" : n <= MAX_BEDS.s ? "s" : "xs";
  }

  const isKnownEmpty = () => Boolean(everHeard && status.r && !lost);

  /* Loading is shown as the shape of tiles, without a digit. */
  function placeholder() {
    if (isKnownEmpty())
      return [make("p", "nobody", unit ? say("ward.nobody_in", { unit }) : say("ward.nobody"))];
    return Array.from({ length: 16 }, () => make("div", "tile skeleton"));
  }

  // ---------------------------------------------------------------- flashing, themes

  /* All strips of a priority flash in one phase: many phases would be one long flicker. 2 Hz
   * and 0.625 Hz, the second half of each period dim. */
  const FLASHES = { high: 500, medium: 1600 };

  function flash() {
    const now = performance.now();
    const { dataset } = document.documentElement;
    const dim = Object.keys(FLASHES).filter((p) => now % FLASHES[p] >= FLASHES[p] / 2);
    if (dataset.dim !== dim.join(" ")) dataset.dim = dim.join(" ");
    const left = Object.values(FLASHES).map((ms) => ms / 2 - (now % (ms / 2)));
    setTimeout(flash, Math.min(...left) + 1);
  }

  function isNight() {
    const now = hour();
    return now >= NIGHT_FROM || now < NIGHT_TO;
  }

  const THEMES = ["auto", "dark", "light", "night"];
  const stored = localStorage.getItem("theme");
  let theme = THEMES.includes(stored) ? stored : "auto";

  function applyTheme() {
    const name = theme === "auto" ? (isNight() ? "night" : "dark") : theme;
    if (document.documentElement.dataset.theme === name) return;
    document.documentElement.dataset.theme = name;
    if (mounted) drawAll();
  }

  function checkHour() {
    applyTheme();
    LINK.wake("hour", 30000, checkHour);
  }

  function drawTheme() {
    const box = byId("theme");
    if (!box || box.firstChild) return;
    const select = make("select");
    for (const value of THEMES) {
      const option = make("option", "", say(`theme.${value}`));
      option.value = value;
      option.selected = value === theme;
      select.append(option);
    }
    select.onchange = () => {
      theme = select.value;
      localStorage.setItem("theme", theme);
      applyTheme();
    };
    box.append(make("label", "", make("span", "", say("theme.label")), select));
  }

  // ---------------------------------------------------------------- begin

  window.icuWard = {
    ...window.icuAlarm,
    ...TILE,
    make,
    hhmm,
    hhmmss,
    openBed,
    closeBed,
    hold,
    askAcknowledge,
    choices,
    isLost: () => lost,
    time: () => serverTime,
  };
  for (const deed of ["keydown", "pointerdown"])
    document.addEventListener(deed, () => (isOwed = false), { capture: true });
  document.addEventListener("keydown", onKey);
  PHONE.onChange(() => mounted && drawAll());
  ASKS.onChange(() => {
    drawTiles();
    drawBed();
  });
  SOUND.onChange(() => {
    if (!mounted || lost) return;
    for (const [id, tile] of tiles) if (!rows.get(id).e) TILE.draw(tile, rows.get(id), { z: 1 });
    drawAround();
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
  flash();
  LINK.begin({ frame: hear, lost: lose });
})();
