/* What the page says of the chain that brings it values and alarms: the bar's message.
 *
 * The server judges every hop behind it (icu_stream/ward/deadman.py) and says in the frame's
 * status which one is dead; the hop from there to here, the socket, is judged by watchdog.js.
 * The first that is dead is named, in words: nothing behind it can be known.
 */
"use strict";

window.icuProof = (() => {
  const FEED_MS = 10000; // no vitals for so long: the monitors are silent
  const LINK = window.icuLink;
  const { say, hhmmss } = window.icuWords;

  let drawn = 0; // number of the newest test alarm that was drawn

  /* [kind, text]; a kind is "alert", "note", "quiet" or none. */
  function message({ lost, everHeard, serverTime, newest, status }) {
    if (lost && LINK.isSignedOut()) return ["alert", say("bar.signed_out")];
    if (lost && everHeard) return ["alert", say("bar.lost")];
    if (lost) return ["", say("bar.connecting")];
    const { h: hop, n } = status.dead || {};
    if (hop === "kafka" || hop === "reading") return ["alert", say(`bar.dead_${hop}`)];
    if (!status.r && status.c !== null) return ["", say("bar.past")];
    if (serverTime - newest > FEED_MS) return ["alert", say("bar.no_data")];
    // Nobody may lie there yet: the next patient would have no alarms.
    if (hop) return ["alert", n ? say(`bar.dead_${hop}`, { n }) : say(`bar.dead_${hop}_none`)];
    const at = hhmmss(status.c);
    if (serverTime < status.c) return ["note", say("bar.collecting", { at })];
    if (!status.k) return ["quiet", say("bar.complete", { at })];
    return ["quiet", say("bar.proven", { at: hhmmss(status.k) })];
  }

  /* Say that a test alarm is on this screen: its time is in the bar that was just drawn.
   * A page that nobody looks at is not painted, and says nothing. */
  function prove(frame, { k }) {
    const isNew = k !== drawn;
    drawn = k;
    if (!k || !isNew || frame.k === "snap" || document.hidden) return;
    requestAnimationFrame(() => {
      const painted = new MessageChannel(); // its message comes after the painting
      painted.port1.onmessage = () => LINK.tell({ painted: k });
      painted.port2.postMessage(0);
    });
  }

  return { message, prove };
})();
