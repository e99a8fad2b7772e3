/* What is said of an alarm: its marks, its texts from long to short, and what became of it.
 *
 * Everything here is made from an alarm as a frame has it (icu_stream/ward/frames.py), and
 * from nothing else but the wish to acknowledge it.
 */
"use strict";

window.icuAlarm = (() => {
  const MARKS = ["", "!", "!!", "!!!"]; // by priority
  const LEVELS = ["", "low", "medium", "high"];
  const HIGH = 3;
  const NEWS = { worsened: "worse", escalated: "escalated", reminded: "reminder" };

  const clock = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  const hhmmss = (ms) => clock.format(ms);
  const hhmm = (ms) => hhmmss(ms).slice(0, 5);

  const alarmsOf = (row) => row.al || [];
  const hintsOf = (row) => row.h || [];
  const isOpen = (alarm) => alarm.s !== "ack";
  const isWorse = (alarm) => Boolean(alarm.e && alarm.e[0] === "worsened");

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
    const wish = window.icuCommands.of("acknowledge", alarm.i);
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

  return {
    MARKS,
    LEVELS,
    HIGH,
    NEWS,
    hhmm,
    hhmmss,
    alarmsOf,
    hintsOf,
    isOpen,
    isWorse,
    fate,
    looks,
    stripTexts,
    hintTexts,
  };
})();
