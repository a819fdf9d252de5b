// The one region that a screen reader is told about without being asked: seldom, and only what matters.
const PAUSE_MS = 15_000;

let last = "";
let next = 0;

// `isUrgent`: what cannot wait, like one's turn.
export function tell(text, isUrgent = false) {
  const now = Date.now();
  if (text === last || (!isUrgent && now < next)) return;
  last = text;
  next = now + PAUSE_MS;
  document.getElementById("news").textContent = text;
}
