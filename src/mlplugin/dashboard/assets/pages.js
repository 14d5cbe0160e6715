/* Keys, the rows of the vetting queue, and the threshold. */
(() => {
  const stored = (key) => {
    try {
      return localStorage.getItem(`mlplugin.${key}`);
    } catch {
      return null; /* private windows keep nothing */
    }
  };
  const keep = (key, value) => {
    try {
      localStorage.setItem(`mlplugin.${key}`, value);
    } catch {
      /* as above */
    }
  };

  /* Tells Dash, once it has the page: before, it knows of no store. */
  const tell = (store, data) => {
    if (!document.getElementById("first")) window.dash_clientside.set_props(store, { data });
  };

  /* A decision that stands has a button of its own. What is pressed before Dash is there waits. */
  let early = null;
  const takeBack = (button) => {
    const { take: kind, name, client, created } = button.dataset;
    if (document.getElementById(`${kind}-buttons`)?.ariaBusy === "true") return;
    const asked = { status: "take-back", names: [name], client, created, at: Date.now() };
    if (document.getElementById("first")) {
      early = [`${kind}-do`, asked];
      button.setAttribute("aria-busy", "true");
    } else tell(`${kind}-do`, asked);
  };
  document.addEventListener("mlplugin-there", () => {
    if (early) tell(...early);
    early = null;
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-take]");
    if (button && event.detail < 2) takeBack(button);
  });
  /* The keyboard's place, where the button went that it was on: the next decision, not its button,
     which a key that is held down would press; where there is none, what was done. */
  let taking = null;
  document.addEventListener("focusin", ({ target }) => {
    const kind = target.dataset?.take;
    const row = target.closest?.("li");
    taking = kind && row
      ? { kind, list: row.closest(`#${kind}-decided, #${kind}-standing`)?.id, at: [...row.parentNode.children].indexOf(row) }
      : null;
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (!target.closest?.("button[data-take]")) taking = null;
  });
  const holdTaking = () => {
    if (!taking || document.activeElement !== document.body) return;
    const left = document.querySelectorAll(`#${taking.list} li`);
    const heir = left[Math.min(taking.at, left.length - 1)] || document.getElementById(`${taking.kind}-said`);
    taking = null;
    if (!heir) return;
    heir.tabIndex = -1;
    heir.focus({ preventScroll: true });
  };

  /* The rows: one is current, any number are chosen. Both go by name, since rows come and go. */
  const chosen = new Set();
  let current = null;
  let place = 0;
  let telling;
  const rows = () => [...document.querySelectorAll("#queue-rows tr[data-name]")];
  const settle = (name) => {
    current = name;
    clearTimeout(telling);
    telling = setTimeout(() => {
      if (document.getElementById("queue-rows")) tell("queue-current", name);
    }, 80);
  };
  /* What was chosen before Dash was there. */
  document.addEventListener("mlplugin-there", () => {
    if (rows().length) {
      mark();
      settle(current);
    }
    const threshold = document.getElementById("threshold");
    if (threshold && threshold.value !== threshold.defaultValue) tell("threshold-at", Number(threshold.value));
  });
  const mark = () => {
    const found = rows();
    const names = found.map((row) => row.dataset.name);
    for (const name of chosen) if (!names.includes(name)) chosen.delete(name);
    if (found.length && !names.includes(current)) settle(names[Math.min(place, names.length - 1)]);
    found.forEach((row) => {
      const isCurrent = row.dataset.name === current;
      if (row.classList.contains("current") !== isCurrent) row.classList.toggle("current", isCurrent);
      if (isCurrent !== row.hasAttribute("aria-current")) row.toggleAttribute("aria-current", isCurrent);
      if (isCurrent && row.getAttribute("aria-current") !== "true") row.setAttribute("aria-current", "true");
      const box = row.querySelector("[role=checkbox]");
      const said = String(chosen.has(row.dataset.name));
      if (box && box.getAttribute("aria-checked") !== said) box.setAttribute("aria-checked", said);
    });
    const count = document.getElementById("chosen-count");
    const text = chosen.size ? `${chosen.size} selected` : "";
    if (count && count.textContent !== text) count.textContent = text;
    place = Math.max(0, names.indexOf(current));
    holdFocus(() => found[place]?.querySelector("[role=checkbox]"));
  };
  /* The keyboard's place: where the row that it was in went, the next one has it. */
  let isWithin = false;
  const within = ({ target }) => {
    isWithin = Boolean(target.closest?.("#queue-rows"));
  };
  document.addEventListener("focusin", within);
  document.addEventListener("pointerdown", within);
  const holdFocus = (heir) => {
    if (isWithin && document.activeElement === document.body) heir()?.focus({ preventScroll: true });
  };
  const step = (by) => {
    const found = rows();
    if (!found.length) return;
    const at = found.findIndex((row) => row.dataset.name === current);
    const row = found[Math.min(Math.max(at + by, 0), found.length - 1)];
    settle(row.dataset.name);
    mark();
    row.scrollIntoView({ block: "nearest" });
    row.querySelector("[role=checkbox]")?.focus({ preventScroll: true });
  };
  const toggle = (name) => {
    if (!chosen.delete(name)) chosen.add(name);
    mark();
  };

  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("#queue-rows tr[data-name]");
    if (row) {
      settle(row.dataset.name);
      if (event.target.closest("[role=checkbox]")) toggle(row.dataset.name);
      mark();
    } else if (event.target.closest?.("#choose-all")) {
      const names = rows().map((one) => one.dataset.name);
      const isAll = names.every((name) => chosen.has(name));
      names.forEach((name) => (isAll ? chosen.delete(name) : chosen.add(name)));
      mark();
    } else if (event.target.closest?.("#keys-on")) {
      keep("keys", areKeysOn() ? "off" : "on");
      nameKeys();
    }
  });

  /* Keys: only where nobody writes, and only while they are wanted (WCAG 2.1.4). */
  const areKeysOn = () => stored("keys") !== "off";
  const nameKeys = () => {
    const root = document.documentElement;
    const state = areKeysOn() ? "on" : "off";
    if (root.dataset.keys !== state) root.dataset.keys = state;
    const button = document.getElementById("keys-on");
    if (!button) return;
    const said = `Keys are ${state}`;
    if (button.textContent !== said) button.textContent = said;
    if (button.getAttribute("aria-pressed") !== String(areKeysOn())) {
      button.setAttribute("aria-pressed", String(areKeysOn()));
    }
  };
  /* The threshold: what it says while it is moved, and what is asked for when it is let go. */
  document.addEventListener("input", ({ target }) => {
    if (target.id === "threshold") document.getElementById("threshold-said").textContent = target.value;
  });
  document.addEventListener("change", ({ target }) => {
    if (target.id === "threshold") {
      tell("threshold-at", Number(target.value));
      const here = new URL(location.href);
      here.searchParams.set("threshold", target.value);
      history.replaceState(history.state, "", here);
    }
  });
  const isWriting = (element) =>
    element?.isContentEditable ||
    (element?.matches?.("input, textarea, select") && !element.matches("[type=radio], [type=checkbox]"));

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.repeat && target.matches?.("button[data-take]")) event.preventDefault();
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!areKeysOn() || isWriting(target) || target.closest?.("[type=range]")) return;
    if (key === "j" || key === "k") {
      if (!rows().length) return;
      event.preventDefault();
      step(key === "j" ? 1 : -1);
    } else if (key === " ") {
      const isOther = target.closest?.("button, a, summary, input") && !target.matches("[role=checkbox]");
      if (!rows().length || isOther || !current) return;
      event.preventDefault();
      toggle(current);
    } else if (key === "?") {
      const help = document.getElementById("keys-help");
      if (help) help.open = !help.open;
    } else if (/^[a-z]$/.test(key) && !event.repeat) {
      const button = document.querySelector(`main button[data-key="${key}"]:not([disabled])`);
      if (!button) return;
      event.preventDefault();
      button.click();
    }
  });
  /* Space on a focused box is a key of ours, not a click as well. */
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && areKeysOn() && event.target.matches?.("#queue-rows [role=checkbox]")) {
      event.preventDefault();
    }
  });

  let isAsked = false;
  new MutationObserver(() => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      nameKeys();
      holdTaking();
      if (document.getElementById("queue-rows")) mark();
      else {
        chosen.clear();
        current = null;
        place = 0;
        holdFocus(() => document.getElementById("main"));
        isWithin = false;
      }
    });
  }).observe(document.documentElement, { childList: true, subtree: true });

  /* What a button is pressed for: the chosen rows, else the current one; and the fields beside it. */
  const press = () => {
    const { no_update, callback_context } = window.dash_clientside;
    const pressed = callback_context.triggered[0];
    if (!pressed?.value) return no_update;
    const [kind, status] = pressed.prop_id.split(".")[0].split("-");
    /* One decision after another: each has to know what the one before can be undone by. */
    if (document.getElementById(`${kind}-buttons`)?.ariaBusy === "true") return no_update;
    const said = (name) => document.getElementById(`${kind}-${name}`)?.value || "";
    const names = rows().map((row) => row.dataset.name).filter((name) => chosen.has(name));
    if (!names.length && current) names.push(current);
    const [client, span, scope, reason] = ["client", "span", "scope", "reason"].map(said);
    return { status, names, client, span, scope, reason, at: Date.now() };
  };

  /* What a retraining is started with: a plain choice, which Dash does not see. */
  const retrain = (clicks) => {
    if (!clicks) return window.dash_clientside.no_update;
    return { threat: document.getElementById("learning-threat")?.value || "", at: Date.now() };
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.mlplugin_pages = { press, retrain };
})();
