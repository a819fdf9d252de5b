// The overview keeps itself young: every two seconds, not while nobody looks at it, and not while it is paused.
"use strict";
(() => {
  const live = document.getElementById("live");
  const bar = document.getElementById("live-bar");
  const age = document.getElementById("live-age");
  const pause = document.getElementById("live-pause");
  const box = document.getElementById("chart-box");
  const chartPlace = document.getElementById("chart");
  const everyMs = Number(live.dataset.everyMs);
  const dark = matchMedia("(prefers-color-scheme: dark)");

  let seenAtMs = performance.now() - Number(live.dataset.ageS) * 1000;
  let trouble = "";
  let isPaused = false;
  let timer = 0;
  let chart = null;
  let points = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Hours as the server's tables have them, in the browser's time zone.
  const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en", { hourCycle: "h23" });

  function draw() {
    if (points === null || points.at_s.length < 2) return;
    box.hidden = false;
    const columns = [points.at_s, points.decided, points.applied];
    if (chart !== null) {
      chart.setData(columns);
      return;
    }
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    chart = new uPlot({
      width: chartPlace.clientWidth,
      height: 220,
      series: [
        { label: "at", value: (_, seconds) => (seconds === null ? "–" : clock(seconds)) },
        { label: "decided by Redis", stroke: colour("--decided"), width: 2 },
        { label: "applied to Postgres", stroke: colour("--applied"), width: 2, dash: [6, 3] },
      ],
      axes: [{ ...axis, values: (_, times) => times.map(clock) }, axis],
      scales: { y: { range: (_, _low, high) => [0, Math.max(high, 1)] } },
    }, columns, chartPlace);
  }

  function redraw() {
    if (chart !== null) chart.destroy();
    chart = null;
    draw();
  }

  function show(news) {
    const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    live.innerHTML = news.html; // made by the server's templates, which escape every text
    if (focused !== null) live.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    seenAtMs = performance.now() - news.age_s * 1000;
    points = news.points;
    draw();
  }

  function tell() {
    const seconds = Math.max(0, Math.round((performance.now() - seenAtMs) / 1000));
    age.textContent = `${trouble}updated ${seconds} s ago${isPaused ? ", paused" : ""}`;
  }

  async function refresh() {
    clearTimeout(timer);
    if (document.hidden || isPaused) return;
    try {
      const response = await fetch("/live", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
      if (response.status === 401) {
        location.assign("/login");
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      show(await response.json());
      trouble = "";
    } catch {
      trouble = "this page's server does not answer; ";
    }
    tell();
    clearTimeout(timer);
    timer = setTimeout(refresh, everyMs);
  }

  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Go on" : "Pause";
    tell();
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  addEventListener("resize", () => chart?.setSize({ width: chartPlace.clientWidth, height: 220 }));
  dark.addEventListener("change", redraw);

  bar.hidden = false;
  setInterval(tell, 1000);
  refresh();
})();
