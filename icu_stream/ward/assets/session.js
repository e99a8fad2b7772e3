/* Who acts at this screen: sign in and out without leaving the ward, and how long it lasts.
 *
 * A person's session ends when that person does nothing. What a person does (a key, a touch)
 * is told to the server, which alone decides; frames and polls are none. A screen has a
 * session of its own under the person's, so that it stays visible: then the page goes to
 * what the screen may do. Without one, the link says that it is signed out.
 */
"use strict";

(() => {
  const ASKS = window.icuCommands;
  const { say } = window.icuWords;
  const ACT_MS = 20000; // an act is told so often at most
  const SOON_S = 60; // so long before the end it is said
  const LOOK_MS = 1000;
  const LEARN_MS = 60000; // another window, or an administrator, may have ended it
  const SAID_MS = 15000; // how long it is said that a session is over

  const channel = new BroadcastChannel("icu-session"); // of this browser's windows
  let endsAt = 0; // by this browser's clock
  let toldAt = 0;
  let learntAt = Date.now();
  let said = ""; // why nobody is signed in any more
  let saidAt = 0;
  let was = ""; // who was signed in when the page was drawn
  let dialog = null;

  const { make, button } = ASKS;
  const leftS = () => Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));

  function post(path, body) {
    return fetch(path, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: body && new URLSearchParams(body),
      signal: AbortSignal.timeout(10000),
    });
  }

  // ---------------------------------------------------------------- acts

  function acted(event) {
    const me = ASKS.me();
    const now = Date.now();
    const oftenMs = Math.min(ACT_MS, (endsAt - now) / 4);
    if (!event.isTrusted || !me.isPersonal || now - toldAt < oftenMs) return;
    toldAt = now;
    post("/act").then(
      async (answer) => answer.ok && later((await answer.json()).left_s),
      () => {}, // the link says that there is none
    );
  }

  function later(left_s) {
    endsAt = Date.now() + 1000 * left_s;
    draw();
  }

  for (const type of ["pointerdown", "keydown", "wheel"])
    document.addEventListener(type, acted, { capture: true, passive: true });

  // ---------------------------------------------------------------- who

  let known = null; // what the server said last
  ASKS.onChange(() => {
    const me = ASKS.me();
    const is = `${me.by} ${me.role} ${me.isPersonal}`;
    if (me !== known) {
      known = me;
      learntAt = Date.now();
      endsAt = learntAt + 1000 * (me.left_s || 0);
    }
    // Of whoever is signed out altogether nothing may be asked; the link says so.
    if (was && was !== is && (me.isPersonal || me.isScreen)) redraw();
    was = is;
    draw();
  });

  /* What a role may see is made by the server: the page is asked for again, in its place. */
  function redraw() {
    if (window.dash_clientside && window.dash_clientside.set_props)
      window.dash_clientside.set_props("retry", { n_clicks: Date.now() });
  }

  /* Somebody has come or gone: in every window of this browser. */
  function change() {
    learntAt = Date.now();
    window.icuLink.again(); // the server knows a socket by the cookies it was opened with
    return ASKS.learn();
  }
  channel.onmessage = change;

  function changed() {
    channel.postMessage("changed");
    return change();
  }

  setInterval(async () => {
    const before = ASKS.me();
    const isOver = before.isPersonal && leftS() === 0;
    const isOut = window.icuLink.isSignedOut() && (before.isPersonal || before.isScreen);
    if (isOver || isOut || Date.now() - learntAt > LEARN_MS) {
      learntAt = Date.now();
      await ASKS.learn();
      if (before.isPersonal && ASKS.me().by !== before.by) {
        tell(say(isOver ? "signin.idle" : "signin.changed"));
        window.icuLink.again();
      }
    }
    draw();
  }, LOOK_MS);

  function tell(text) {
    said = text;
    saidAt = Date.now();
  }

  async function signOut() {
    try {
      await post("/signout");
      tell(say("signin.changed"));
    } catch {
      tell(say("signin.failed"));
    }
    await changed();
    draw();
  }

  // ---------------------------------------------------------------- what is drawn

  function draw() {
    const box = document.getElementById("session");
    if (!box || !known) return;
    const me = ASKS.me();
    if (me.isPersonal || Date.now() - saidAt > SAID_MS) said = "";
    const soon = me.isPersonal && leftS() <= SOON_S ? say("signin.soon", { s: leftS() }) : said;
    const key = `${me.isPersonal} ${soon}`;
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    const word = say(me.isPersonal ? "signin.out" : "signin.do");
    const press = button(word, me.isPersonal ? signOut : open);
    const text = make("span", "soon", soon);
    text.setAttribute("role", "status");
    box.replaceChildren(text, press);
  }

  /* Not modal: the ward stays in sight and its alarms can be acknowledged. */
  function open() {
    if (!dialog) dialog = makeDialog();
    dialog.querySelector("form").reset();
    dialog.querySelector(".no").hidden = true;
    dialog.show();
    dialog.querySelector("[name=name]").focus();
  }

  function close() {
    dialog.close();
    const press = document.querySelector("#session button");
    if (press) press.focus();
  }

  function field(name, type, autocomplete) {
    const input = make("input", "");
    Object.assign(input, { name, type, autocomplete, required: true, maxLength: 256 });
    return make("label", "", say(`signin.${name}`), input);
  }

  function makeDialog() {
    const no = make("p", "no");
    no.setAttribute("role", "alert");
    const go = button(say("signin.do"), () => {});
    go.type = "submit";
    const form = make(
      "form",
      "",
      field("name", "text", "username"),
      field("password", "password", "current-password"),
      no,
      go,
      button(say("signin.cancel"), close),
    );
    const me = ASKS.me();
    if (me.provider) {
      const other = make("a", "", say("signin.by", { label: me.provider }));
      other.href = "/signin/oidc";
      form.append(other);
    }
    form.onsubmit = (event) => {
      event.preventDefault();
      signIn(form, no, go);
    };
    const made = make("dialog", "", make("h2", "", say("signin.title")), form);
    made.id = "signin";
    // The ward's keys are not meant here.
    made.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") close();
    });
    document.body.append(made);
    return made;
  }

  async function signIn(form, no, go) {
    go.disabled = true;
    no.hidden = true;
    try {
      const answer = await post("/signin", new FormData(form));
      if (answer.ok) {
        said = "";
        await changed();
        close();
        return;
      }
      const isTold = (answer.headers.get("Content-Type") || "").includes("json");
      no.textContent = isTold ? (await answer.json()).reason : say("signin.failed");
    } catch {
      no.textContent = say("signin.failed");
    } finally {
      go.disabled = false;
    }
    no.hidden = false;
    const password = form.elements.password;
    password.value = "";
    password.focus();
  }
})();
