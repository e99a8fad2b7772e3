/* Dash's dropdowns: the hidden field that takes their label's focus is no stop of Tab. */
"use strict";

new MutationObserver(() => {
  for (const field of document.querySelectorAll('.dash-dropdown-focus-target[tabindex="0"]'))
    field.tabIndex = -1;
}).observe(document.body, { childList: true, subtree: true });
