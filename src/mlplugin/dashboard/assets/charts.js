/* Charts in the colours of the theme and the times of the clock. */
(() => {
  /* Plotly knows no variables, and no colours that are two: `of` gives what a variable is. */
  const resolve = (value, of) => {
    if (typeof value === "string") return value.replace(/var\((--[\w-]+)\)/g, (_, name) => of(name));
    if (Array.isArray(value)) return value.map((part) => resolve(part, of));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, resolve(part, of)]));
    }
    return value;
  };
  const BOTH = /^light-dark\(\s*([^,]+?)\s*,\s*([^)]+?)\s*\)$/;
  const painting = () => {
    const root = document.documentElement;
    const style = getComputedStyle(root);
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    return (name) => {
      const said = style.getPropertyValue(name).trim();
      const both = BOTH.exec(said);
      return both ? both[isDark ? 2 : 1] : said;
    };
  };
  const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d.*Z$/;
  const DAY_LENGTH = "2026-01-01".length;
  const pad = (value) => String(value).padStart(2, "0");
  /* Plotly knows no zones: it is given the clock's own reading. */
  const reading = (text, clock) => {
    if (typeof text !== "string" || !MOMENT.test(text)) return text;
    if (clock !== "local") return text.slice(0, -1);
    const moment = new Date(text);
    const day = `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())}`;
    return `${day} ${[moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(pad).join(":")}`;
  };

  const paint = (figure, look) => {
    if (!figure) return window.dash_clientside.no_update;
    const painted = resolve(figure, painting());
    const clock = look?.clock;
    for (const trace of painted.data) {
      if (Array.isArray(trace.x)) trace.x = trace.x.map((at) => reading(at, clock));
    }
    const { range } = painted.layout.xaxis || {};
    if (range) painted.layout.xaxis.range = range.map((at) => reading(at, clock));
    return painted;
  };

  /* A stretch of time that is drawn over is opened as a page's range. */
  const zoom = (changed, address) => {
    const from = changed?.["xaxis.range[0]"];
    const to = changed?.["xaxis.range[1]"];
    if (address && from && to) {
      const isLocal = document.documentElement.dataset.clock === "local";
      const moment = (text) => {
        /* Plotly leaves midnight out, and a date alone would be one of UTC. */
        const reading = text.length > DAY_LENGTH ? text.replace(" ", "T") : `${text}T00:00`;
        const at = new Date(isLocal ? reading : `${reading}Z`);
        return `${at.toISOString().slice(0, 19)}Z`;
      };
      const there = new URL(address, location.origin);
      there.searchParams.set("since", moment(from));
      there.searchParams.set("until", moment(to));
      window.mlplugin.go(there.href);
    }
    return window.dash_clientside.no_update;
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.mlplugin = { ...window.dash_clientside.mlplugin, paint, zoom };
})();
