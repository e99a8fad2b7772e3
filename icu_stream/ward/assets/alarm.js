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
  const { say, hhmm } = window.icuWords;

  const alarmsOf = (row) => row.al || [];
  const hintsOf = (row) => row.h || [];
  const isOpen = (alarm) => alarm.s !== "ack";
  const isWorse = (alarm) => Boolean(alarm.e && alarm.e[0] === "worsened");

  /* What is told anew has another key: it is heard, and read out, anew. */
  const keyOf = (alarm) => `${alarm.i} ${alarm.e ? alarm.e.join(" ") : ""}`;

  /* What became of an alarm since it began. */
  function fate(alarm) {
    const at = alarm.at ? hhmm(alarm.at) : "";
    const by = alarm.by ? alarm.by[1] : "";
    const parts = [];
    if (alarm.s === "latched") parts.push(say(at ? "fate.ended_at" : "fate.ended", { at }));
    else parts.push(say("fate.since", { at: hhmm(alarm.o) }));
    if (alarm.e) {
      const anew = say(`fate.${alarm.e[0]}`, { at: hhmm(alarm.e[1]) });
      parts.push(isWorse(alarm) ? `▲ ${anew}` : anew);
    }
    if (alarm.s === "ack") {
      const key = `fate.acknowledged${at && "_at"}${by && "_by"}`;
      parts.push(`✓ ${say(key, { at, by })}`);
    }
    if (alarm.x) parts.push(say("fate.doubtful", { at: hhmm(alarm.x) }));
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
    const anew = alarm.e && alarm.e[0] === "reminded" ? "↻" : "";
    const mark = isWorse(alarm) ? `${plain}▲` : plain + anew;
    const word = alarm.w ? `${alarm.w} ` : "";
    const who = alarm.by ? alarm.by[0] : "";
    const ended = say("strip.ended");
    const at = alarm.at ? say("strip.ended_at", { at: hhmm(alarm.at) }) : ended;
    const tails = {
      on: ["", "", ""],
      ack: [`  ✓ ${who}`, ` ✓${who}`, "✓"],
      latched: [`, ${at}`, ` ${ended}`, ""],
    }[alarm.s];
    const [doubt, doubtShort] = [say("strip.doubtful"), say("strip.doubtful_short")];
    const doubts = alarm.x ? [`, ${doubt}`, ` ${doubtShort}`, "?"] : ["", "", ""];
    const others = more ? [`  +${more}`, ` +${more}`, ""] : ["", "", ""];
    const wish = window.icuCommands.of("acknowledge", alarm.i);
    const state = wish && alarm.s !== "ack" ? wish.state : "";
    const sending = [`  ${say("strip.sending")}`, " …", "…"];
    const asked = { sending, done: ["", "", ""] }[state] ||
      (state ? [`  ${doubt}`, ` ${doubtShort}`, "?"] : ["", "", ""]);
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
    alarmsOf,
    hintsOf,
    isOpen,
    isWorse,
    keyOf,
    fate,
    looks,
    stripTexts,
    hintTexts,
  };
})();
