/* The overview: its numbers are asked for again while somebody looks, unless that is paused. */
(() => {
  const button = () => document.getElementById("overview-pause");
  const isPaused = () => button()?.getAttribute("aria-pressed") === "true";
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("#overview-pause");
    if (!pressed) return;
    const paused = !isPaused();
    pressed.setAttribute("aria-pressed", String(paused));
    pressed.textContent = paused ? "Resume" : "Pause";
    document.getElementById("live-state").textContent = paused ? "paused" : "live";
  });
  /* Nobody sees a hidden page: it asks for nothing. Nor is anything asked while the service still
     has to answer: where much is counted, questions do not pile up. */
  const isIdle = () => !document.hidden && !isPaused() && !document.documentElement.dataset.busy
    && !document.getElementById("first");
  const since = { numbers: 0, live: 0 };
  let looked = null;
  setInterval(() => {
    const now = Date.now();
    if (button() !== looked) {
      looked = button();
      since.numbers = since.live = now;
    }
    if (!looked || !isIdle()) return;
    for (const [what, store] of [["live", "live-tick"], ["numbers", "overview-tick"]]) {
      if (now - since[what] >= Number(looked.dataset[what])) {
        since[what] = now;
        window.dash_clientside.set_props(store, { data: now });
      }
    }
  }, 250);
})();
