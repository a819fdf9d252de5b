// The page moves on by itself. How the sale stands is polled from the page that all visitors share, and that a cache may
// answer. The visitor's own page is loaded again when that says something new for them, and to keep their place in line.
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
let loaded = Date.now();

function plan() {
  const ms = Number(page().dataset.refresh);
  clearTimeout(timer);
  if (ms) timer = setTimeout(look, Math.min(spread(ms), untilTheEnd(), Math.max(0, untilHeartbeat())));
}

function ends() {
  // The opening is everybody's at once: the buttons wake without asking, and the page follows at its usual pace.
  if (page().dataset.kind === "soon") return [];
  return [...document.querySelectorAll("div[data-until]")].map((clock) => Number(clock.dataset.until) - serverNow());
}

const untilTheEnd = () => Math.min(...ends().filter((left) => left > 0)) + spread(AFTER_END_MS);

function untilHeartbeat() {
  const every = Number(page().dataset.heartbeat);
  return every ? loaded + every - Date.now() : Infinity;
}

async function look() {
  if (isSending || !Number(page().dataset.refresh)) return;
  try {
    const { watch } = page().dataset;
    const isDue = !watch || untilHeartbeat() <= 0 || ends().some((left) => left <= 0);
    if (isDue || (await isChanged(watch))) await load();
    plan();
  } catch {
    // The network, or the gateway, is away: what stands here stays, and is asked for again.
    clearTimeout(timer);
    timer = setTimeout(look, spread(AFTER_TROUBLE_MS));
  }
}

// Show what is new of a sale; true when only the visitor's own page can tell what that means.
async function isChanged(url) {
  const response = await fetch(url, { credentials: "omit" });
  if (!response.ok) throw new Error(response.statusText);
  const sale = await response.json();
  heardServerTime(sale.server_time_ms);
  const { dataset } = page();
  if (!Number(dataset.heartbeat)) dataset.refresh = sale.poll_after_ms;
  if (sale.state !== dataset.state || Boolean(sale.room) !== (dataset.room === "yes")) return true;
  if (sale.room && (sale.room.message !== dataset.message || isCalled(sale.room))) return true;
  // Who waits cannot buy: units that come and go are a number to them.
  const isWaiting = ["waiting", "out_for_you", "soon", "paused"].includes(dataset.kind);
  const isOther = sale.items.map((item) => showLeft(item, sale.available_max)).some(Boolean);
  const total = page().querySelector("[data-left]");
  if (total) total.textContent = units(sale.items, sale.available_max);
  return isOther && !isWaiting;
}

function isCalled({ now_serving }) {
  const { place } = page().dataset;
  if (place === undefined || !page().querySelector(".ahead")) return false;
  const ahead = Number(place) - now_serving;
  const told = page().querySelector(".ahead b");
  if (ahead > 0) told.textContent = ahead.toLocaleString("en");
  return ahead < 0 || (ahead === 0 && told.textContent !== "Next");
}

function showLeft({ sku, available }, most) {
  const item = document.querySelector(`[data-sku="${CSS.escape(sku)}"]`);
  if (!item) return true;
  const isOther = (Number(item.dataset.available) === 0) !== (available === 0);
  const stock = item.querySelector("[data-stock]");
  if (stock) {
    item.dataset.available = available;
    stock.classList.toggle("few", available > 0 && available < 10);
    stock.classList.toggle("none", available === 0);
    stock.textContent = leftText(available, most);
  }
  return isOther;
}

function leftText(available, most) {
  if (available === 0) return "None left at the moment";
  return available < 10 ? `Only ${available} left` : `${units([{ available }], most)} left`;
}

// Of more units than `most`, this number is told; null: of none.
function units(items, most) {
  const left = items.reduce((sum, { available }) => sum + available, 0).toLocaleString("en");
  return most !== null && items.some(({ available }) => available >= most) ? `${left} or more` : left;
}

async function load() {
  const { reload, kind } = page().dataset;
  const response = await fetch(reload, { headers: { Accept: "text/html" } });
  if (!response.ok) throw new Error(response.statusText);
  if (isSending) return;
  loaded = Date.now();
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
