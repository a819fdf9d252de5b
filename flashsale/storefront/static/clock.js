// Countdowns by the server's clock, and times in the reader's own zone.
import { tell } from "./news.js";
import { wake } from "./buttons.js";

const TICK_MS = 250;
// Once, before a countdown ends.
const WARNING_MS = 30_000;

// The server's clock minus ours. What a server said is old when it arrives, in a cache even more so: the best guess is the
// greatest one, and it is never early.
let ahead = -Infinity;
const warned = new Set();

export const serverNow = () => Date.now() + (Number.isFinite(ahead) ? ahead : 0);

export function heardServerTime(timeMs) {
  if (timeMs) ahead = Math.max(ahead, timeMs - Date.now());
}

export function keepTime() {
  heardServerTime(Number(document.querySelector("main").dataset.now));
  tick();
  setInterval(tick, TICK_MS);
}

export function tick() {
  const now = serverNow();
  document.querySelectorAll("div[data-until]").forEach((clock) => show(clock, Number(clock.dataset.until) - now));
  document.querySelectorAll("progress[data-until]").forEach((fuse) => {
    fuse.value = Math.max(0, Number(fuse.dataset.until) - now);
  });
  document.querySelectorAll("form[data-opens]").forEach((form) => wake(form, now >= Number(form.dataset.opens)));
  document.querySelectorAll("time[data-at]").forEach(localise);
}

function show(clock, leftMs) {
  const left = Math.max(0, Math.ceil(leftMs / 1000));
  const parts = {
    d: Math.floor(left / 86_400),
    h: Math.floor(left / 3_600) % 24,
    m: Math.floor(left / 60) % 60,
    s: left % 60,
  };
  for (const part of clock.children) {
    const name = part.dataset.part;
    part.hidden = (name === "d" && left < 86_400) || (name === "h" && left < 3_600);
    part.firstElementChild.textContent = name === "d" ? parts.d : String(parts[name]).padStart(2, "0");
  }
  const isEnding = left <= WARNING_MS / 1000;
  clock.classList.toggle("ending", isEnding);
  if (isEnding && left > 0 && !warned.has(clock.dataset.until)) {
    warned.add(clock.dataset.until);
    tell(`${clock.getAttribute("aria-label")}: ${left} seconds`);
  }
}

function localise(time) {
  const at = new Date(Number(time.dataset.at));
  const isToday = at.toDateString() === new Date().toDateString();
  const text = at.toLocaleString([], isToday ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
  if (time.textContent !== text) time.textContent = text;
}
