/* The page's own clock, in a Worker: a hidden page's timers are slowed down, these are not.
 *
 * In:  "heard"              a frame came
 *      {wake: name, ms: n}  answer {woke: name} in n ms
 * Out: "lost"               no frame for LINK_MS; said once, until a frame comes again
 *      {woke: name}
 */
"use strict";

const LINK_MS = 3000; // UI: without a frame for 3 s, values are hidden within 4 s
const LOOK_MS = 250;

// The wall clock: the other one may stand still while the machine sleeps.
let heardAt = Date.now();
let lost = false;

onmessage = ({ data }) => {
  if (data === "heard") {
    heardAt = Date.now();
    lost = false;
  } else {
    setTimeout(() => postMessage({ woke: data.wake }), data.ms);
  }
};

setInterval(() => {
  if (!lost && Math.abs(Date.now() - heardAt) > LINK_MS) {
    lost = true;
    postMessage("lost");
  }
}, LOOK_MS);
