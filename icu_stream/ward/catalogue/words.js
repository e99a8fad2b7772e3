/* What the page says, in the language and the units of its ward.
 *
 * `site` is what icu_stream/ward/wording.py gives: words by key, language, units, time zone.
 * Values on the wire are mmHg and °C, always; only what is shown is converted, here and in
 * the texts of wording.py.
 *
 *   icuWords.say("bar.complete", { at: icuWords.hhmmss(ms) })
 *   icuWords.say("count.beds", { n: 3 })       `one` or `many`, by `n`
 *   icuWords.value("temp", 38.25)              "38.3", "38,3", "100.9": with its decimals
 *   icuWords.number(0.25, 2)                   at most so many decimals: "0.25", "0,25"
 *   icuWords.unit("abp_sys")                   "mmHg" or "kPa"
 *   icuWords.shown("abp_sys", 120)             the number itself in the unit of display
 */
"use strict";

window.icuWords = ((site) => {
  const { words, locale } = site;

  /* A word that is missing shows its key: a page that stops drawing would be worse. */
  function say(key, fields = {}) {
    const chosen = "n" in fields ? `${key}.${Number(fields.n) === 1 ? "one" : "many"}` : key;
    const text = words[chosen] ?? words[key];
    if (text === undefined) {
      console.error(`no word for ${key}`);
      return key;
    }
    return text.replace(/\{(\w+)\}/g, (field, name) => String(fields[name] ?? field));
  }

  // ---------------------------------------------------------------- numbers and units

  const formats = new Map();
  function format(least, most) {
    const key = `${least} ${most}`;
    if (!formats.has(key))
      formats.set(
        key,
        new Intl.NumberFormat(locale, {
          minimumFractionDigits: least,
          maximumFractionDigits: most,
          useGrouping: false,
        }),
      );
    return formats.get(key);
  }

  const signal = (code) => site.signals[code] || { unit: "", digits: 0, factor: 1, offset: 0 };
  const shown = (code, x) => x * signal(code).factor + signal(code).offset;
  const difference = (code, x) => x * signal(code).factor;
  const number = (x, digits) => format(0, digits).format(x);
  const fixed = (x, digits) => format(digits, digits).format(x);
  const value = (code, x) => fixed(shown(code, x), signal(code).digits);

  // ---------------------------------------------------------------- times

  /* 24 hours in every language; the time zone is the site's, else the browser's. */
  const times = (options) => {
    const zone = site.timeZone ? { timeZone: site.timeZone } : {};
    return new Intl.DateTimeFormat(locale, { hourCycle: "h23", ...zone, ...options });
  };
  const two = "2-digit";
  const clock = times({ hour: two, minute: two, second: two });
  const dated = times({ year: "numeric", month: two, day: two, hour: two, minute: two });
  const hhmmss = (ms) => clock.format(ms);
  const hhmm = (ms) => hhmmss(ms).slice(0, 5);
  const moment = (ms) => dated.format(ms).replace(",", ""); // as wording.py has it
  const hour = () => Number(clock.format(Date.now()).slice(0, 2));

  // The style makes room for what is wider in other units.
  const root = document.documentElement;
  root.dataset.pressure = signal("abp_mean").unit;
  root.dataset.temperature = signal("temp").unit;

  return {
    say,
    number,
    fixed,
    value,
    shown,
    difference,
    unit: (code) => signal(code).unit,
    digits: (code) => signal(code).digits,
    hhmm,
    hhmmss,
    moment,
    hour,
    language: site.language,
    locale,
  };
})(window.icuSite);
