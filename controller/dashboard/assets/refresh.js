// Keeps the figures fresh without a reload: fetches the same page and swaps its live part, unless the tab is hidden.
"use strict";
const live = () => document.getElementById("live");
setInterval(async () => {
  if (document.hidden || !live()) return;
  try {
    const response = await fetch(location.href);
    const next = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("live");
    if (response.ok && next) live().replaceWith(next);
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  }
}, 2000);
