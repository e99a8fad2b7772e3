/* What a printed page says of itself: when it was printed, and by whom. */
"use strict";

(() => {
  const { say, moment } = window.icuWords;

  function sign() {
    const place = document.getElementById("printed");
    if (!place) return;
    const by = window.icuCommands.me().by || say("page.printed_by_nobody");
    place.textContent = say("page.printed", { at: moment(Date.now()), by });
  }

  window.addEventListener("beforeprint", sign);
  window.matchMedia("print").addEventListener("change", sign); // as it is seen by a test
})();
