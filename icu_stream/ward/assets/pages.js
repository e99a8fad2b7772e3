/* What pages need and Dash has not: paper. A sheet is printed when it has been read. */
"use strict";

(() => {
  if (document.body.classList.contains("sheet")) addEventListener("load", () => print());
  document.addEventListener("click", (event) => {
    if (event.target.closest("button.print")) print();
  });
})();
