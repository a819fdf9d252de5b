// The page moves on by itself. What all visitors share is polled from the page of the sale that a cache may answer; the
// visitor's own page is loaded again when that has changed, or when it alone can tell.
import { serverNow, heardServerTime, tick } from "./clock.js";
import { morph } from "./morph.js";
import { tell } from "./news.js";

// A crowd that was told the same moment must not come at the same moment.
const SPREAD = 0.2;
const AFTER_TROUBLE_MS = 5_000;
// Behind the end of a countdown: what is told then is true.
const AFTER_END_MS = 300;

const page = () => document.querySelector("main");
const spread = (ms) => ms * (1 + Math.random() * SPREAD);
let isSending = false;

export function keepFresh() {
  document.addEventListener("submit", () => (isSending = true));
  window.addEventListener("pageshow", () => (isSending = false));
  // Whoever comes back to the tab sees what is true now.
  document.addEventListener("visibilitychange", () => document.hidden || look());
  plan();
}

let timer = 0;

function plan(ms = Number(page().dataset.refresh)) {
  clearTimeout(timer);
  if (ms) timer = setTimeout(look, Math.min(spread(ms), untilTheEnd()));
}

function untilTheEnd() {
  // The opening is everybody's at once: the buttons wake without asking, and the page follows at its usual pace.
  if (page().dataset.kind === "soon") return Infinity;
  const ends = [...document.querySelectorAll("div[data-until]")].map((clock) => Number(clock.dataset.until) - serverNow());
  const next = Math.min(...ends.filter((left) => left > 0));
  return next + spread(AFTER_END_MS);
}

async function look() {
  if (isSending || !Number(page().dataset.refresh)) return;
  try {
    const { watch } = page().dataset;
    if (!watch || (await isChanged(watch))) await load();
    plan();
  } catch {
    // The network, or the gateway, is away: what stands here stays, and is asked for again.
    plan(AFTER_TROUBLE_MS);
  }
}

async function isChanged(url) {
  const response = await fetch(url, { credentials: "omit" });
  if (!response.ok) throw new Error(response.statusText);
  const sale = await response.json();
  heardServerTime(sale.server_time_ms);
  page().dataset.refresh = sale.poll_after_ms;
  if (sale.state !== page().dataset.state || Boolean(sale.room) !== (page().dataset.room === "yes")) return true;
  return sale.items.some(({ sku, available }) => {
    const item = document.querySelector(`[data-sku="${CSS.escape(sku)}"]`);
    return !item || showLeft(item, available);
  });
}

// Show how many are left; true when the page must say something else.
function showLeft(item, available) {
  const before = Number(item.dataset.available);
  if ((before === 0) !== (available === 0)) return true;
  const stock = item.querySelector("[data-stock]");
  if (!stock || before === available) return false;
  item.dataset.available = available;
  stock.classList.toggle("few", available > 0 && available < 10);
  stock.textContent = available < 10 ? `Only ${available} left` : `${available.toLocaleString("en")} left`;
  return false;
}

async function load() {
  const { reload, kind } = page().dataset;
  const response = await fetch(reload, { headers: { Accept: "text/html" } });
  if (!response.ok) throw new Error(response.statusText);
  if (isSending) return;
  const next = new DOMParser().parseFromString(await response.text(), "text/html");
  heardServerTime(Number(next.querySelector("main").dataset.now));
  const wanted = next.querySelector("main");
  const isOther = wanted.dataset.kind !== kind;
  const notice = page().querySelector(".notice");
  if (notice && !isOther) wanted.prepend(notice.cloneNode(true));
  const focused = document.activeElement;
  morph(page(), wanted);
  document.title = next.title;
  tick();
  if (isOther && focused !== document.body && !document.contains(focused)) page().focus();
  const heading = page().querySelector("h1").textContent.trim();
  const ahead = page().querySelector(".ahead");
  tell(ahead ? `${heading}: ${ahead.textContent.trim().replace(/\s+/g, " ")}` : heading, isOther);
}
