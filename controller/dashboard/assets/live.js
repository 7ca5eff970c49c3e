// Keeps the page live. Without this script it is complete, too, as of the moment when it was asked for.
"use strict";

// figures are the elements whose text changes without a new table, by name.
let figures = new Map();
const index = () => {
  figures = new Map();
  for (const e of document.querySelectorAll("[data-figure]")) figures.set(e.dataset.figure, e);
};

// refresh fetches the page as it is now and puts in place the sections that are different. Changes that come while it is at
// it are one more round.
let busy = false, again = false;
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    do {
      again = false;
      const response = await fetch(location.href, { cache: "no-store" });
      if (!response.ok) throw new Error(response.statusText);
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const section of next.querySelectorAll("[data-live]")) {
        const old = document.getElementById(section.id);
        if (old && old.innerHTML !== section.innerHTML) old.replaceWith(section);
      }
      document.body.dataset.table = next.body.dataset.table;
      index();
    } while (again);
  } finally {
    busy = false;
  }
}

const say = (text) => {
  document.getElementById("connection").textContent = text;
  document.body.classList.toggle("stale", text !== "live");
};

let events = null, retry = 0;
// A new stream begins with the number of the table, which leads to another try.
const startOver = () => {
  say("not live: trying again");
  events.close();
  retry = setTimeout(connect, 5000);
};
function connect() {
  clearTimeout(retry);
  const filter = new URLSearchParams(location.search).get("filter") ?? "";
  events = new EventSource("api/v1/events?filter=" + encodeURIComponent(filter));
  events.addEventListener("open", () => say("live"));
  events.addEventListener("table", (e) => {
    if (e.data !== document.body.dataset.table) refresh().catch(startOver);
  });
  events.addEventListener("figures", (e) => {
    for (const [name, text] of Object.entries(JSON.parse(e.data))) {
      const element = figures.get(name);
      if (element && element.textContent !== text) element.textContent = text;
    }
  });
  events.addEventListener("error", () => {
    say("not live: trying again");
    // The browser tries again by itself, unless it was told that there is no room.
    if (events.readyState === EventSource.CLOSED) retry = setTimeout(connect, 5000);
  });
}

// A hidden tab holds no stream.
document.addEventListener("visibilitychange", () => {
  clearTimeout(retry);
  if (events) events.close();
  if (!document.hidden) connect();
});

index();
if (!document.hidden) connect();
