// A form that does something is sent once by a double click: the answer to the second would hide the one to the first.
"use strict";
(() => {
  const REST_MS = 2_000;
  const sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (sent.has(event.target)) event.preventDefault();
    sent.add(event.target);
    setTimeout(() => sent.delete(event.target), REST_MS);
  });
})();
