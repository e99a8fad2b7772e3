/* Charting: what a person saw at the bedside, or a laboratory said, becomes an `observe`.
 *
 * What may be charted, and how far each value may go, is the server's (`/charted`); a value
 * that is not plausible is told before it is sent, and refused by the worker all the same.
 */
"use strict";

window.icuObserve = (() => {
  const { say, number } = window.icuWords;
  const ASKS = window.icuCommands;
  const { make } = ASKS;
  const ACVPU = ["A", "C", "V", "P", "U"];

  let table = null; // rows of /charted

  async function learn() {
    if (table) return table;
    const answer = await fetch("/charted", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    table = await answer.json();
    return table;
  }

  function choice(label, options) {
    const select = make("select");
    for (const [value, text] of [["", "–"], ...options]) {
      const option = make("option", "", text);
      option.value = value;
      select.append(option);
    }
    return [select, make("label", "", make("span", "", label), select)];
  }

  /* A form for one patient: its element, and `update` for what became of the wish. */
  function form(patient, where) {
    const letters = ACVPU.map((letter) => [letter, `${letter} · ${say(`observe.${letter}`)}`]);
    const [acvpu, acvpuBox] = choice(say("news2.acvpu"), letters);
    const airs = [["no", say("news2.air")], ["yes", say("news2.oxygen")]];
    const [oxygen, oxygenBox] = choice(say("news2.on_oxygen"), airs);
    const scales = [["1", "1"], ["2", say("observe.scale_2")]];
    const [scale, scaleBox] = choice(say("observe.scale"), scales);
    const [what, whatBox] = choice(say("observe.value"), []);
    const input = make("input");
    input.type = "text";
    input.inputMode = "decimal";
    input.maxLength = 12;
    input.disabled = true;
    input.setAttribute("aria-label", say("observe.number"));
    const unit = make("span", "unit");
    const said = make("p", "said");
    said.setAttribute("role", "status");
    const button = ASKS.button(say("observe.do"), send);
    const box = make(
      "form",
      "charting",
      acvpuBox,
      oxygenBox,
      scaleBox,
      make("div", "value", whatBox, input, unit),
      button,
      said,
    );
    box.onsubmit = (event) => {
      event.preventDefault();
      send();
    };
    const row = () => (table || []).find((r) => r.c === what.value);
    learn().then(
      () => {
        for (const { c, name } of table) {
          const option = make("option", "", name);
          option.value = c;
          what.append(option);
        }
      },
      () => (said.textContent = say("observe.no_table")),
    );
    what.onchange = () => {
      input.disabled = !what.value;
      unit.textContent = row() ? row().unit : "";
      check();
    };
    input.oninput = check;
    [acvpu, oxygen, scale].forEach((select) => (select.onchange = check));

    /* What is wrong with it; nothing where it can be sent. */
    function problem() {
      if (!what.value) return acvpu.value || oxygen.value || scale.value ? "" : say("observe.nothing");
      const { name, low, high, unit: unitText } = row();
      const written = Number(input.value.trim().replace(",", "."));
      if (!input.value.trim() || !Number.isFinite(written)) return say("observe.no_number", { name });
      if (written >= low && written <= high) return "";
      const range = { name, low: number(low, 1), high: number(high, 1), unit: unitText };
      return say("observe.range", range).trim();
    }

    function check() {
      const text = problem();
      button.disabled = Boolean(text);
      const isTouched = what.value && input.value;
      said.textContent = isTouched ? text : "";
      input.setAttribute("aria-invalid", String(Boolean(isTouched && text)));
    }

    async function send() {
      if (problem()) return check();
      const fields = { patient };
      if (acvpu.value) fields.acvpu = acvpu.value;
      if (oxygen.value) fields.on_oxygen = oxygen.value === "yes";
      if (scale.value) fields.spo2_scale = Number(scale.value);
      if (what.value) fields.values = { [what.value]: Number(input.value.trim().replace(",", ".")) };
      const wish = await ASKS.ask("observe", patient, where, fields);
      if (!wish || wish.state !== "done") return;
      for (const select of [acvpu, oxygen, scale, what]) select.value = "";
      input.value = "";
      what.onchange();
    }

    function update() {
      const wish = ASKS.of("observe", patient);
      box.hidden = !ASKS.may("observe");
      const isSending = Boolean(wish && wish.state === "sending");
      if (wish) said.textContent = ASKS.words(wish);
      if (isSending) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }

    check();
    update();
    return { box, update };
  }

  return { form };
})();
