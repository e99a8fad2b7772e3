/* What pages need and Dash has not: paper, and another person at the same screen. */
"use strict";

(() => {
  // A sheet is printed when it has been read.
  if (document.body.classList.contains("sheet")) addEventListener("load", () => print());
  document.addEventListener("click", (event) => {
    if (event.target.closest("button.print")) print();
  });

  /* Another person may see other pages: the page, and the way to others, are made anew. */
  let last = "";
  window.icuCommands?.onChange(() => {
    const { by, role } = window.icuCommands.me();
    if (!role) return; // nobody: every value is hidden, and the server would refuse
    const now = `${role} ${by}`;
    if (last && last !== now)
      window.dash_clientside.set_props("retry", { n_clicks: Date.now() });
    last = now;
  });
})();
