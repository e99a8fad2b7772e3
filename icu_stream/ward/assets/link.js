/* The link: one WebSocket that brings the frames (icu_stream/ward/frames.py) and takes what
 * this screen says of itself. It is tried again for ever; a gap in the frames' numbers is
 * mended by a snapshot, which every connection begins with.
 */
"use strict";

window.icuLink = (() => {
  const RETRY_MS = [500, 1000, 2000, 5000];
  const CONNECT_MS = 5000; // a connection without a frame by then is given up
  const SIGN_IN = 4403; // close code: no session

  const watchdog = new Worker(new URL("watchdog.js", document.currentScript.src).href);
  const waiting = new Map();
  let hears = null; // what frames are for: {frame, lost}
  let socket = null;
  let attempts = 0;
  let number = -1; // of the last frame
  let boot = null;
  let signedOut = false;

  /* A clock that goes on at full speed in a page that nobody looks at. */
  function wake(name, ms, then) {
    waiting.set(name, then);
    watchdog.postMessage({ wake: name, ms });
  }

  watchdog.onmessage = ({ data }) => {
    if (data === "lost") {
      hears.lost();
      reconnect();
    } else if (waiting.has(data.woke)) {
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
    mine.onmessage = (event) => take(JSON.parse(event.data));
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

  function take(frame) {
    const isNext = frame.q === number + 1 && frame.boot === boot;
    if (frame.k !== "snap" && !isNext) {
      reconnect(); // a frame is missing: only a snapshot says what was in it
      return;
    }
    attempts = 0;
    signedOut = false;
    watchdog.postMessage("heard");
    ({ q: number, boot } = frame);
    hears.frame(frame);
    document.documentElement.dataset.frame = number;
  }

  /* Tell the server something of this screen; false without a connection. */
  function tell(report) {
    const isOpen = Boolean(socket) && socket.readyState === WebSocket.OPEN;
    if (isOpen) socket.send(JSON.stringify(report));
    return isOpen;
  }

  return {
    begin: (listener) => {
      hears = listener;
      connect();
    },
    wake,
    tell,
    again: () => {
      attempts = 0;
      reconnect();
    },
    isSignedOut: () => signedOut,
  };
})();
