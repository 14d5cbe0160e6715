/* The overview: pausing what is asked for again and again. */
(() => {
  let paused = false;
  const ticks = ["overview-tick", "live-tick"];
  const pause = (presses) => {
    paused = Boolean((presses || 0) % 2);
    document.getElementById("overview-pause")?.setAttribute("aria-pressed", String(paused));
    return [paused, paused, paused ? "Resume" : "Pause", paused ? "paused" : "live"];
  };
  /* Nobody sees a hidden page: it asks for nothing. */
  document.addEventListener("visibilitychange", () => {
    if (!document.getElementById("overview-pause")) return;
    const disabled = paused || document.hidden;
    ticks.forEach((tick) => window.dash_clientside.set_props(tick, { disabled }));
  });
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.mlplugin = { ...window.dash_clientside.mlplugin, pause };
})();
