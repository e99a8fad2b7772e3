/* Commands: what a person asks from this page, and what became of it.
 *
 * A wish is posted to /commands and waits there for the worker's answer. Nothing is drawn as
 * done before that: an alarm that is being acknowledged goes on until a frame says that it
 * is. Without an answer in two seconds the page says so and offers to try again, under the
 * same id: the worker does a command once. What a person may do is decided on the server;
 * here a control that would be refused is left out.
 *
 * A wish's state: sending -> late (no answer in 2 s) -> done | refused | unsent | unknown.
 */
"use strict";

window.icuCommands = (() => {
  const LATE_MS = 2000; // UI, acknowledge: after 2 s "Not confirmed, retry"
  const DONE_MS = 4000; // how long a success is said
  const GIVEN_UP_MS = 25000; // the server answers before that
  const { say: word } = window.icuWords;

  const NOBODY = { by: "", role: "viewer", may: [] };

  let me = NOBODY;
  const wishes = new Map(); // key -> wish; the last one of its kind about its object
  const listeners = [];
  let told = null; // the wish that the line at the bottom speaks of

  const byId = (id) => document.getElementById(id);

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children);
    return element;
  }

  /* Who is signed in; asked again whenever the link comes back. */
  async function learn() {
    try {
      const answer = await fetch("/who", { cache: "no-store" });
      if (answer.ok) me = await answer.json();
      else if (answer.status === 401) me = NOBODY;
      else return;
    } catch {
      return; // the link says itself that there is none
    }
    const note = byId("me");
    const role = word(`role.${me.role}`);
    if (note) note.textContent = word(me.by ? "page.me" : "page.looking", { by: me.by, role });
    listeners.forEach((listen) => listen());
  }

  const may = (type) => me.may.includes(type);
  const keyOf = (type, about) => `${type} ${about}`;
  const of = (type, about) => wishes.get(keyOf(type, about));

  /* Ask. `about` is the alarm or the patient; `where` is for the eye; `fields` as the
   * server's Wish (icu_stream/access/desk.py), `patient` always among them. It promises the
   * wish when it is settled, with the server's answer in it (a proposal's `command`, `limits`,
   * `expires`); null where nothing was asked: not allowed, or being asked already. */
  function ask(type, about, where, fields) {
    const key = keyOf(type, about);
    const known = wishes.get(key);
    if (!may(type) || (known && known.state === "sending")) return Promise.resolve(null);
    // 128 random bits in a UUID's form: randomUUID wants TLS, which a ward may end elsewhere.
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    return post({ key, type, where, body: { id, type, ...fields }, tries: 0, answer: {} });
  }

  async function post(wish) {
    wishes.set(wish.key, wish);
    const turn = (wish.tries += 1);
    const isOld = () => wish.tries !== turn || wishes.get(wish.key) !== wish;
    settle(wish, "sending", "");
    const late = setTimeout(() => isOld() || settle(wish, "late", ""), LATE_MS);
    let fate = "unknown";
    let reason = word("ask.no_answer");
    try {
      const answer = await fetch("/commands", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(wish.body),
        signal: AbortSignal.timeout(GIVEN_UP_MS),
      });
      const isTold = (answer.headers.get("Content-Type") || "").includes("json");
      if (isTold) {
        wish.answer = await answer.json();
        ({ fate, reason = "" } = wish.answer);
      } else [fate, reason] = ["refused", answer.status === 401 ? word("ask.sign_in") : await answer.text()];
    } catch {
      reason = word("ask.no_connection");
    }
    clearTimeout(late);
    if (isOld()) return wish;
    settle(wish, fate, reason);
    if (fate === "done")
      setTimeout(() => {
        if (wishes.get(wish.key) === wish) forget(wish);
      }, DONE_MS);
    return wish;
  }

  function settle(wish, state, reason) {
    wish.state = state;
    wish.reason = reason;
    told = wish;
    say();
    listeners.forEach((listen) => listen());
  }

  function forget(wish) {
    if (wishes.get(wish.key) === wish) wishes.delete(wish.key);
    if (told === wish) told = null;
    say();
    listeners.forEach((listen) => listen());
  }

  const canRetry = (wish) => ["late", "unsent", "unknown"].includes(wish.state);

  const words = (wish) => word(`ask.${wish.state}`, { reason: wish.reason });

  /* The line at the bottom: what was asked last, and what became of it. */
  function say() {
    const line = byId("said");
    if (!line) return;
    line.hidden = !told;
    if (!told) return line.replaceChildren();
    const wish = told;
    const isBad = !["sending", "done"].includes(wish.state);
    line.className = isBad ? "bad" : "";
    const what = word("ask.what", { type: word(`ask.${wish.type}`), where: wish.where });
    const parts = [make("span", "", make("b", "", what), words(wish))];
    if (canRetry(wish)) parts.push(button(word("ask.retry"), () => post(wish)));
    if (isBad) parts.push(button(word("ask.close"), () => forget(wish)));
    line.replaceChildren(...parts);
  }

  function button(text, act) {
    const element = make("button", "", text);
    element.type = "button";
    element.onclick = act;
    return element;
  }

  return {
    learn,
    me: () => me,
    may,
    of,
    ask,
    words,
    canRetry,
    retry: (wish) => post(wish),
    make,
    button,
    onChange: (listen) => listeners.push(listen),
  };
})();
