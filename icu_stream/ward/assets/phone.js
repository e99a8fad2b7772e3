/* A phone: "My patients" before all others, and what is one's own behind the tab "Me".
 *
 * Who is mine is chosen at an open bed and kept in this browser, by patient: a transfer
 * changes nothing. On wider screens the beds are in their order and nothing else.
 */
"use strict";

window.icuPhone = (() => {
  const { say } = window.icuWords;
  const { make, button } = window.icuCommands;
  const MOST = 40; // patients that a browser keeps; the oldest choice goes first

  const narrow = matchMedia("(max-width: 600px), (pointer: coarse) and (max-height: 500px)");
  const byId = (id) => document.getElementById(id);
  const listeners = [];
  let mine = kept();

  function kept() {
    try {
      const ids = JSON.parse(localStorage.getItem("mine") || "[]");
      return Array.isArray(ids) ? ids.map(String) : [];
    } catch {
      return []; // not written by this page
    }
  }

  function choose(id, isMine) {
    mine = mine.filter((other) => other !== id);
    if (isMine) mine = [...mine, id].slice(-MOST);
    localStorage.setItem("mine", JSON.stringify(mine));
    listeners.forEach((listen) => listen());
  }

  /* Put the tiles where this screen has them: mine first on a phone. */
  function place(ward, tiles) {
    const first = byId("mine");
    const isMine = (id) => Boolean(first) && narrow.matches && mine.includes(id);
    const boxes = (wanted) => [...tiles].filter(([id]) => isMine(id) === wanted).map(([, t]) => t.box);
    ward.replaceChildren(...boxes(false));
    if (!first) return;
    const own = boxes(true);
    const inside = own.length ? own : [make("p", "none", say("ward.mine_none"))];
    first.hidden = !narrow.matches;
    first.dataset.density = ward.dataset.density;
    first.replaceChildren(make("h2", "", say("ward.mine")), ...inside);
  }

  /* The button of an open bed; the style shows it on a phone. */
  function chooser(id) {
    const press = button("", () => {
      choose(id, !mine.includes(id));
      draw();
    });
    const draw = () => {
      const isMine = mine.includes(id);
      press.textContent = say(isMine ? "ward.mine_is" : "ward.mine_add");
      press.setAttribute("aria-pressed", String(isMine));
    };
    press.classList.add("chooser");
    draw();
    return press;
  }

  // ---------------------------------------------------------------- the tab "Me"

  const root = document.documentElement;

  document.addEventListener("click", (event) => {
    const tab = event.target.closest("#own-tab");
    if (tab) show(!("own" in root.dataset));
    else if (!event.target.closest("#own")) show(false);
  });

  function show(isShown) {
    const tab = byId("own-tab");
    if (isShown) root.dataset.own = "";
    else delete root.dataset.own;
    if (tab) tab.setAttribute("aria-expanded", String(isShown));
  }

  return {
    place,
    chooser,
    key: () => (narrow.matches ? mine.join() : ""),
    onChange: (listen) => listeners.push(listen),
  };
})();
