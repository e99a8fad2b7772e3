/* The sound of the alarms at this screen: what is heard, what is paused, what is locked.
 *
 * Each frame says which alarms there are, and `step` works out the highest priority that
 * nobody has acknowledged; its burst is started when it is due. No timer of the page takes
 * part: a hidden page's timers are slowed down, frames are not. Without frames the clock of
 * the Worker (link.js) steps it, and a lost connection sounds as a high alarm.
 *
 * A pause of the sound is this screen's own, for two minutes, of one bed. Whoever presses it
 * hears the alarm already, at this screen; another screen may be the only one that somebody
 * else hears. So it is kept here, in this browser, survives a reload, and never grows: an end
 * that is more than two minutes away is none. A worsening, a higher priority and a new high
 * alarm break through. To pause the alarms of a bed everywhere is the worker's, with a reason.
 */
"use strict";

window.icuSound = (() => {
  // Source: UI, sound. The gaps are ours, within what operators' manuals give for
  // IEC 60601-1-8: 50-125 ms between the pulses of a high burst, 125-250 ms of a medium one,
  // a longer one after the third pulse, and 0.35-1.3 s between the halves.
  const PATTERNS = [
    null,
    { pulse: 0.2, starts: [0], every: 30000 },
    { pulse: 0.2, starts: [0, 0.4, 0.8], every: 15000 },
    {
      pulse: 0.12,
      starts: [0, 0.22, 0.44, 0.88, 1.1, 1.82, 2.04, 2.26, 2.7, 2.92],
      every: 7000,
    },
  ];
  const PITCH = 523; // Hz
  const HARMONICS = [1, 0.8, 0.6, 0.5, 0.4]; // the tone and four above it, within 8 dB
  const RAMP = 0.015; // s; a pulse that begins at once clicks

  const PAUSE_MS = 120000; // UI, audio pause: 2 min, never longer
  const REPORT_MS = 10000;
  const STUCK_MS = 3000; // a clock of the audio that stands so long: nothing is heard
  const VOLUMES = [40, 60, 80, 100]; // percent; ours: a station cannot be made quieter
  const PHONE = "(max-width: 600px), (pointer: coarse) and (max-height: 500px)";
  const TROUBLE = ""; // whose pause is that of the bar's own alarm, no patient's

  const { say } = window.icuWords;
  const { HIGH, alarmsOf, isOpen, keyOf } = window.icuAlarm;
  const ASKS = window.icuCommands;
  const LINK = window.icuLink;

  const phone = matchMedia(PHONE);
  const isPhone = () => phone.matches;
  const context = window.AudioContext ? new AudioContext() : null;
  const pauses = new Map(); // patient -> {until, keys}: what was known when it was pressed
  let volume = VOLUMES.includes(Number(localStorage.volume)) ? Number(localStorage.volume) : 80;
  let skew = 0; // the server's clock less ours
  let heard = new Set(); // keys of the alarms that were to be heard at the last step
  let playing = null; // {p, until, gain, tone}
  const started = [0, 0, 0, 0].map(() => -Infinity); // of each priority's last burst
  let audioTime = 0;
  let movedAt = 0;
  let trouble = false; // the bar's own alarm
  let told = ""; // the last report
  let toldAt = -Infinity;
  let dialog = null;
  const listeners = [];

  const now = () => Date.now() + skew;

  // ---------------------------------------------------------------- what is heard

  /* One burst, into any audio context; where it ends. */
  function burst(audio, p, at, loud) {
    const { pulse, starts } = PATTERNS[p];
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    const sines = new Float32Array([0, ...HARMONICS]);
    tone.setPeriodicWave(audio.createPeriodicWave(new Float32Array(sines.length), sines));
    tone.frequency.value = PITCH;
    tone.connect(gain).connect(audio.destination);
    gain.gain.setValueAtTime(0, at);
    for (const start of starts) {
      const from = at + start;
      gain.gain.setValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(loud, from + RAMP);
      gain.gain.setValueAtTime(loud, from + pulse - RAMP);
      gain.gain.linearRampToValueAtTime(0, from + pulse);
    }
    const end = at + starts.at(-1) + pulse;
    tone.start(at);
    tone.stop(end);
    return { tone, gain, end };
  }

  function play(p) {
    const at = performance.now();
    const { tone, gain, end } = burst(context, p, context.currentTime, volume / 100);
    playing = { p, tone, gain, until: at + 1000 * (end - context.currentTime) };
    started[p] = at;
    document.documentElement.dataset.sounded = `${p} ${Math.round(at)}`;
  }

  function hush() {
    if (!playing) return;
    const { gain, tone } = playing;
    gain.gain.cancelScheduledValues(context.currentTime);
    gain.gain.setTargetAtTime(0, context.currentTime, RAMP / 3);
    tone.stop(context.currentTime + RAMP);
    playing = null;
  }

  /* One frame, or half a second without one: `rows` are the beds that this screen shows. */
  function step({ rows, time, isTrouble }) {
    if (time) skew = time - Date.now();
    trouble = isTrouble;
    forget();
    const audible = new Set();
    let need = trouble && !left(TROUBLE) ? HIGH : 0;
    let isNew = false;
    for (const row of rows)
      for (const alarm of alarmsOf(row)) {
        if (!isAudible(row, alarm)) continue;
        const key = keyOf(alarm);
        audible.add(key);
        if (alarm.p > need) {
          need = alarm.p;
          isNew = false;
        }
        if (alarm.p === need && !heard.has(key)) isNew = true;
      }
    heard = audible;
    sound(need, isNew);
    report();
    draw();
  }

  function sound(need, isNew) {
    const at = performance.now();
    if (playing && at >= playing.until) playing = null;
    if (playing && playing.p !== need) hush();
    if (!need || playing || state() !== "on") return;
    if (isNew || at - started[need] >= PATTERNS[need].every) play(need);
  }

  function isAudible(row, alarm) {
    if (!isOpen(alarm) || alarm.q) return false;
    const pause = left(row.i) && pauses.get(row.i);
    if (!pause) return true;
    if (pause.keys.includes(keyOf(alarm))) return false;
    // Not known when it was pressed. What only reminds, and what is no worse, may wait.
    const isKnown = pause.keys.some((key) => key.startsWith(`${alarm.i} `));
    if (isKnown) return Boolean(alarm.e) && alarm.e[0] !== "reminded";
    return alarm.p === HIGH || alarm.p > pause.p;
  }

  // ---------------------------------------------------------------- locked or not

  /* Would an alarm be heard here? */
  function state() {
    if (isPhone() || !context) return "off";
    if (context.state !== "running") return "locked";
    const at = performance.now();
    if (context.currentTime !== audioTime) {
      audioTime = context.currentTime;
      movedAt = at;
    }
    return at - movedAt > STUCK_MS ? "off" : "on";
  }

  /* A browser lets a page be heard when somebody has pressed something on it. */
  function unlock() {
    if (!context || context.state === "running" || isPhone()) return;
    context.resume().then(() => {
      movedAt = performance.now();
      draw();
      report();
    });
  }

  function report(pausing) {
    const said = { sound: state(), volume: isPhone() ? 0 : volume, paused: pauses.size };
    const text = JSON.stringify(said);
    if (!pausing && text === told && performance.now() - toldAt < REPORT_MS) return;
    if (!LINK.tell({ id: stationId(), ...said, ...(pausing ? { pausing } : {}) })) return;
    told = text;
    toldAt = performance.now();
  }

  /* Of this window; a reload keeps it. */
  function stationId() {
    if (!sessionStorage.station) {
      const bytes = crypto.getRandomValues(new Uint8Array(8));
      sessionStorage.station = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    }
    return sessionStorage.station;
  }

  // ---------------------------------------------------------------- pauses

  try {
    for (const [id, pause] of JSON.parse(localStorage.pauses || "[]"))
      if (Number.isFinite(pause.until) && Array.isArray(pause.keys)) pauses.set(id, pause);
  } catch {
    localStorage.removeItem("pauses"); // not ours: no pause is the safe side
  }

  function keep() {
    localStorage.pauses = JSON.stringify([...pauses]);
    report();
    listeners.forEach((listen) => listen());
  }

  function forget() {
    const size = pauses.size;
    for (const id of pauses.keys()) if (!left(id)) pauses.delete(id);
    if (pauses.size !== size) keep();
  }

  /* How long the sound of a bed is still paused, ms. */
  function left(id) {
    const pause = pauses.get(id);
    if (!pause) return 0;
    const ms = pause.until - now();
    return ms > 0 && ms <= PAUSE_MS ? ms : 0;
  }

  const mayPause = (id) => id === TROUBLE || ASKS.may("pause");

  function pause(id, alarms = []) {
    if (!mayPause(id)) return;
    const p = Math.max(0, ...alarms.filter(isOpen).map((alarm) => alarm.p));
    pauses.set(id, { until: now() + PAUSE_MS, p, keys: alarms.map(keyOf) });
    hush();
    keep();
    if (id !== TROUBLE) report(id);
  }

  function resume(id) {
    if (pauses.delete(id)) keep();
  }

  /* For the page of one bed: to pause its sound here, or to end that. */
  function control(row) {
    if (isPhone() || !mayPause(row.i)) return [];
    const is = left(row.i) > 0;
    const button = ASKS.button(say(is ? "sound.resume" : "sound.pause"), () => toggle(row));
    return is ? [window.icuWard.sign("audio-paused"), button] : [button];
  }

  const toggle = (row) => (left(row.i) ? resume(row.i) : pause(row.i, alarmsOf(row)));

  // ---------------------------------------------------------------- in the bar

  function draw() {
    const box = document.getElementById("sound");
    if (!box) return;
    const is = state();
    const text = { on: `${volume} %`, locked: say("sound.locked"), off: say("sound.off") }[is];
    const wait = Math.ceil(left(TROUBLE) / 1000);
    const key = [is, text, trouble, wait].join("|");
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    box.className = is;
    const { sign, make, timeText } = window.icuWard;
    const main = ASKS.button("", is === "locked" ? unlock : show);
    main.append(sign(is === "on" ? "audio-on" : "audio-off"), text);
    main.setAttribute("aria-label", is === "on" ? say("sound.on", { volume }) : text);
    const made = [main];
    if (trouble && wait) {
      made.push(make("span", "wait", sign("audio-paused"), timeText(left(TROUBLE))));
    } else if (trouble && is === "on") {
      made.push(ASKS.button(say("sound.pause"), () => pause(TROUBLE)));
    }
    const hadFocus = box.contains(document.activeElement);
    box.replaceChildren(...made);
    if (hadFocus) main.focus();
    if (dialog) dialog.querySelector(".state").textContent = stateText();
  }

  const stateText = () => say(`sound.is_${isPhone() ? "phone" : state()}`);

  /* This screen: how loud, and how it sounds. */
  function show() {
    const { make } = window.icuWard;
    const select = make("select");
    for (const percent of VOLUMES) {
      const option = make("option", "", `${percent} %`);
      option.value = percent;
      option.selected = percent === volume;
      select.append(option);
    }
    select.onchange = () => {
      volume = Number(select.value);
      localStorage.volume = volume;
      draw();
      report();
    };
    const test = ASKS.button(say("sound.test"), () => {
      if (state() === "on" && !playing) play(HIGH - 1);
    });
    dialog = make("dialog", "keys screen");
    dialog.setAttribute("aria-label", say("sound.title"));
    dialog.append(
      make("h2", "", say("sound.title")),
      make("p", "state", stateText()),
      make("p", "", make("label", "", `${say("sound.volume")} `, select), " ", test),
      make("p", "quiet", say("sound.floor", { volume: VOLUMES[0] })),
      ...window.icuWard.choices(),
      ASKS.button(say("ask.close"), () => dialog.close()),
    );
    dialog.onclose = () => {
      dialog.remove();
      dialog = null;
    };
    document.body.append(dialog);
    dialog.showModal();
  }

  for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, unlock);
  if (context) context.onstatechange = () => window.icuWard && draw();

  return {
    step,
    burst,
    state,
    left,
    toggle,
    control,
    onChange: (listen) => listeners.push(listen),
  };
})();
