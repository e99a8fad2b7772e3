/* NEWS2 as its official chart has it: seven rows, seven columns of points, this patient's
 * value in its column, and how old each input is. What is missing is "–" and has no points.
 */
"use strict";

window.icuNews2 = (() => {
  const { say, value, number } = window.icuWords;
  const { make } = window.icuCommands;
  // How a row's numbers are shown: as this signal, in the units of the ward.
  const SIGNAL = { rr: "rr", spo2: "spo2", sys: "abp_sys", pulse: "hr", temp: "temp" };
  const OXYGEN = "O₂"; // in every language: its word is wider than its column

  const text = (name, x) => (SIGNAL[name] ? value(SIGNAL[name], x) : number(x, 1));
  const word = (key) => ({ air: say("news2.air"), oxygen: OXYGEN })[key] || key;

  function age(seconds) {
    if (seconds < 90) return say("age.seconds", { n: number(seconds, 0) });
    if (seconds < 5400) return say("age.minutes", { n: number(seconds / 60, 0) });
    return say("age.hours", { n: number(seconds / 3600, 0) });
  }

  function band(name, [low, high, also]) {
    const range =
      low === null && high === null
        ? ""
        : low === null
          ? `≤${text(name, high)}`
          : high === null
            ? `≥${text(name, low)}`
            : `${text(name, low)}–${text(name, high)}`;
    return [range, also ? word(also) : ""].filter(Boolean).join(" ");
  }

  const valueText = (row) => {
    if (typeof row.value === "boolean") return word(row.value ? "oxygen" : "air");
    return typeof row.value === "number" ? text(row.c, row.value) : String(row.value);
  };

  /* How much it is of what it could be: "at least" while an input is missing. */
  const total = (score) =>
    score.complete < score.of ? say("news2.at_least", { n: score.total }) : String(score.total);

  function chart(score) {
    const head = make("tr", "", cell("td", ""), cell("th", say("news2.value")), cell("th", say("news2.points"), "points"));
    for (const points of score.points) head.append(cell("th", String(points), `band p${points}`));
    const rows = score.rows.map((row) => {
      const isMissing = row.points === null;
      const name = row.c === "spo2" ? say("news2.spo2_scale", { scale: score.scale }) : row.name;
      const line = make("tr", isMissing ? "missing" : `p${row.points}`);
      const title = cell("th", name);
      title.scope = "row";
      title.append(make("small", "age", isMissing ? say("news2.missing") : howOld(row)));
      line.append(
        title,
        cell("td", isMissing ? "–" : valueText(row), "value"),
        cell("td", isMissing ? "–" : String(row.points), "points"),
      );
      row.cells.forEach((bands, i) => {
        const isHere = row.column === i;
        const texts = bands.map((b) => band(row.c, b)).join(row.c === "acvpu" ? "" : ", ");
        const box = cell("td", texts, `band p${score.points[i]}${texts ? "" : " no"}${isHere ? " here" : ""}`);
        if (isHere) box.setAttribute("aria-current", "true");
        line.append(box);
      });
      return line;
    });
    const sum = make(
      "p",
      "total",
      make("b", "", total(score)),
      ` · ${say("news2.risk", { band: say(`news2.band.${score.band}`) })}`,
      ` · ${say("news2.inputs", { n: score.complete, of: score.of })}`,
    );
    const table = make("table", "", make("thead", "", head), make("tbody", "", ...rows));
    return [sum, table];
  }

  const howOld = ({ age: seconds, by }) =>
    by ? say("news2.age_by", { age: age(seconds), by }) : say("news2.age", { age: age(seconds) });

  function cell(tag, content, className = "") {
    const made = make(tag, className, content);
    if (tag === "th") made.scope = "col";
    return made;
  }

  return { chart, total, age };
})();
