/* Charts: what a pointer finds in them is told, a stretch that is drawn over is opened, and their
   times follow the clock. */
(() => {
  const root = document.documentElement;
  const pad = (value) => String(value).padStart(2, "0");
  const isLocal = () => root.dataset.clock === "local";
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const DAY = 86400;
  const parts = (moment, own = isLocal()) =>
    own
      ? [moment.getFullYear(), moment.getMonth(), moment.getDate(), moment.getHours(), moment.getMinutes(), moment.getSeconds()]
      : [moment.getUTCFullYear(), moment.getUTCMonth(), moment.getUTCDate(), moment.getUTCHours(), moment.getUTCMinutes(), moment.getUTCSeconds()];
  /* Months and years are those of UTC, where they begin: elsewhere it is the day before. */
  const label = (moment, step, isYearSaid) => {
    const [year, month, day, hour, minute, second] = parts(moment, isLocal() && step < 30 * DAY);
    const rest = isYearSaid ? ` ${year}` : "";
    if (step >= 365 * DAY) return String(year);
    if (step >= 30 * DAY) return MONTHS[month] + rest;
    if (step >= DAY || !(hour || minute || second)) return `${day} ${MONTHS[month]}${rest}`;
    return [hour, minute, ...(step < 60 ? [second] : [])].map(pad).join(":");
  };
  const full = (moment) => {
    const [year, month, day, hour, minute, second] = parts(moment);
    return `${year}-${pad(month + 1)}-${pad(day)} ${[hour, minute, second].map(pad).join(":")}`;
  };
  const relabel = (within) => {
    for (const one of within.querySelectorAll?.(".plot text[data-at]") || []) {
      const text = label(new Date(one.dataset.at), Number(one.dataset.step), "year" in one.dataset);
      if (one.textContent !== text) one.textContent = text;
    }
  };

  /* What a chart shows, read once for each drawing. */
  const known = new WeakMap();
  const seriesOf = (plot) => {
    const said = known.get(plot);
    if (said?.text === plot.dataset.series) return said.series;
    const series = JSON.parse(plot.dataset.series);
    known.set(plot, { text: plot.dataset.series, series });
    return series;
  };
  const partOf = (plot, event) => {
    const box = plot.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  const number = (value) => value.toLocaleString("en-US");
  const timeAt = (series, part) => series.since + part * (series.until - series.since);
  const bucketAt = (series, part) => {
    const at = timeAt(series, part);
    return series.at.findIndex((begin) => {
      const since = Date.parse(begin) / 1000;
      return at >= since && at < since + series.step;
    });
  };
  const told = (series, part) => {
    if (series.lines) {
      const own = (value) => (series.log ? Math.log10(value) : value);
      const at = own(series.low) + part * (own(series.high) - own(series.low));
      return Object.entries(series.lines).flatMap(([name, points]) => {
        if (!points.length) return [];
        const near = points.reduce((best, one) =>
          Math.abs(own(one[0]) - at) < Math.abs(own(best[0]) - at) ? one : best);
        return [`${name}: ${+near[1].toPrecision(4)} at ${+near[0].toPrecision(3)}`];
      });
    }
    if (series.names) {
      const place = Math.min(Math.floor(part * series.names.length), series.names.length - 1);
      const score = (series.high / series.names.length) * place;
      return [`score ${score} to ${score + 1}`, `${number(series.names[place])} names`];
    }
    const place = bucketAt(series, part);
    if (place < 0) return [];
    const counted = Object.entries(series.counts).map(([level, counts]) => `${number(counts[place])} ${level}`);
    return [full(new Date(series.at[place])), ...counted];
  };

  let tip = null;
  let shownOf = null;
  const hide = () => {
    tip?.remove();
    tip = shownOf = null;
  };
  const show = (plot, event) => {
    const lines = told(seriesOf(plot), partOf(plot, event));
    if (!lines.length) {
      hide();
      return;
    }
    shownOf = plot;
    if (!tip) {
      tip = document.createElement("div");
      tip.className = "tip";
      tip.setAttribute("aria-hidden", "true");
      document.body.append(tip);
    }
    tip.replaceChildren(...lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
    const { width, height } = tip.getBoundingClientRect();
    const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${Math.max(event.clientY - height - 10, 4)}px`;
  };

  /* A stretch of time that is drawn over is opened as a page's range. */
  const said = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
  const zoom = (address, since, until) => {
    const there = new URL(address, location.origin);
    there.searchParams.set("since", said(since));
    there.searchParams.set("until", said(until));
    window.mlplugin.go(there.href);
  };
  const open = (plot, part) => {
    const series = seriesOf(plot);
    const place = bucketAt(series, part);
    if (place < 0) return;
    const since = Date.parse(series.at[place]) / 1000;
    zoom(plot.dataset.open, since, since + series.step);
  };

  const LEAST_PIXELS = 6;
  let from = null;
  let veil = null;
  const drawVeil = (plot, event) => {
    const box = plot.getBoundingClientRect();
    veil = veil || plot.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
    const [begin, end] = [from.part, partOf(plot, event)].sort((one, other) => one - other);
    veil.setAttribute("class", "veil");
    veil.setAttribute("x", `${100 * begin}%`);
    veil.setAttribute("width", `${100 * (end - begin)}%`);
    veil.setAttribute("height", String(box.height));
  };
  const drop = () => {
    veil?.remove();
    veil = null;
    from = null;
  };
  const plotOf = (event) => event.target.closest?.(".plot[data-series]");
  document.addEventListener("pointermove", (event) => {
    if (from) {
      if (from.plot.isConnected) drawVeil(from.plot, event);
      else drop();
      return;
    }
    const plot = plotOf(event);
    if (plot) show(plot, event);
    else if (tip) hide();
  });
  document.addEventListener("pointerdown", (event) => {
    const plot = plotOf(event);
    if (!plot || event.button || event.pointerType === "touch" || !plot.dataset.zoom) return;
    event.preventDefault();
    hide();
    from = { plot, x: event.clientX, part: partOf(plot, event) };
  });
  document.addEventListener("pointerup", (event) => {
    if (!from) return;
    const { plot, x, part } = from;
    const other = partOf(plot, event);
    drop();
    if (!plot.isConnected || Math.abs(event.clientX - x) < LEAST_PIXELS) return;
    const series = seriesOf(plot);
    zoom(plot.dataset.zoom, ...[timeAt(series, part), timeAt(series, other)].sort((a, b) => a - b));
  });
  document.addEventListener("pointercancel", () => {
    drop();
    hide();
  });
  /* A finger that is lifted is nowhere, a page that scrolls moves on below the pointer. */
  document.addEventListener("pointerup", ({ pointerType }) => pointerType === "touch" && hide());
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  new MutationObserver(() => {
    if (tip && !shownOf.isConnected) hide();
  }).observe(root, { childList: true, subtree: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      drop();
      hide();
    }
  });
  document.addEventListener("click", (event) => {
    const plot = plotOf(event);
    if (plot?.dataset.open) open(plot, partOf(plot, event));
  });

  window.mlplugin = { ...window.mlplugin, relabel, zoom };
})();
