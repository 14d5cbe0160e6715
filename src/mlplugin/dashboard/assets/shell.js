/* The shell: moving between pages without loading them anew, theme, clock, sign-out. */
(() => {
  const root = document.documentElement;
  const store = (key, value) => {
    try {
      localStorage.setItem(`mlplugin.${key}`, value);
    } catch {
      /* private windows keep nothing */
    }
  };
  const isPage = (path) => /^\/($|(queries|vetting|learning|model|domain|client)($|\/))/.test(path);

  /* Going to an address. Dash's Location listens to popstate. */
  const go = (address) => {
    if (document.getElementById("first")) {
      location.assign(address); /* Dash is not there yet */
      return;
    }
    history.pushState({}, "", address);
    window.dispatchEvent(new PopStateEvent("popstate"));
  };

  /* The address for what somebody looks for, which the service knows; null if it does not answer. */
  const addressOf = async (form) => {
    const sought = new URLSearchParams(new FormData(form));
    try {
      const answer = await fetch(`${form.getAttribute("action")}?${sought}`, {
        headers: { Accept: "application/json" },
      });
      return answer.ok ? (await answer.json()).address : null;
    } catch {
      return null;
    }
  };

  /* An address over the range that is looked at. */
  const ranged = (address) => {
    const here = new URLSearchParams(location.search);
    const range = new URLSearchParams();
    for (const name of ["since", "until"]) if (here.get(name)) range.set(name, here.get(name));
    return range.size ? `${address}${address.includes("?") ? "&" : "?"}${range}` : address;
  };

  document.addEventListener("click", (event) => {
    const { button, metaKey, ctrlKey, shiftKey, altKey } = event;
    if (event.defaultPrevented || button || metaKey || ctrlKey || shiftKey || altKey) return;
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || link.hasAttribute("download") || link.dataset.plain) return;
    if (link.origin !== location.origin || !isPage(link.pathname)) return;
    event.preventDefault();
    if (link.href !== location.href) go(link.href);
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.id === "go-form") {
      event.preventDefault();
      if (!form.elements.go.value.trim()) return;
      addressOf(form).then((address) => (address ? go(ranged(address)) : form.submit()));
      return;
    }
    const path = form.getAttribute("action");
    if (form.method !== "get" || !path || !isPage(path)) return;
    event.preventDefault();
    const said = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (String(value).trim()) said.append(name, String(value).trim());
    }
    go(said.size ? `${path}?${said}` : path);
  });

  /* A choice takes effect at once, a text when it is sent. */
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[method=get]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });

  /* Requests under way are shown, and a session that has ended leads to the sign-in page. */
  const fetched = window.fetch;
  const slow = 300;
  const MOST_TRIES = 10;
  /* Where much is being counted, the service asks to come again. */
  const patient = async (asked) => {
    for (let tries = 1; ; tries += 1) {
      const answer = await fetched(...asked);
      const wait = Number(answer.headers.get("Retry-After"));
      if (answer.status !== 503 || !wait || tries === MOST_TRIES) return answer;
      await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
    }
  };
  /* What went wrong is told, whatever was asked for: a page that stays as it was says nothing. */
  const AWAY = "The service does not answer. What is shown may be old.";
  const SAID = {
    403: "The service knows nothing of this page: load it again.",
    413: "That was too much at once: nothing is done.",
    503: "The service has too much to do just now: try again.",
  };
  const tell = (text) => {
    const place = document.getElementById("trouble");
    if (place && place.textContent !== text) place.textContent = text;
  };
  const tellOf = (answer, asked) => {
    if (answer.ok) {
      if (document.getElementById("trouble")?.textContent === AWAY) tell("");
    } else if (String(asked[0]?.url || asked[0]).includes("_dash-update-component")) {
      tell(SAID[answer.status] || "A fault of the service: its log says more.");
    }
  };
  let waiting = 0;
  let timer = 0;
  window.fetch = async (...asked) => {
    waiting += 1;
    if (waiting === 1) {
      root.dataset.busy = "true";
      timer = setTimeout(() => (root.dataset.slow = "true"), slow);
    }
    try {
      const answer = await patient(asked);
      if (answer.status === 401) {
        const back = location.pathname + location.search;
        location.assign(`/sign-in?next=${encodeURIComponent(back)}`);
      } else tellOf(answer, asked);
      return answer;
    } catch (fault) {
      tell(AWAY);
      throw fault;
    } finally {
      waiting -= 1;
      if (!waiting) {
        clearTimeout(timer);
        delete root.dataset.busy;
        delete root.dataset.slow;
      }
    }
  };

  /* Times are UTC in the page; local time is put in their place, and back. */
  const pad = (value, digits = 2) => String(value).padStart(digits, "0");
  const local = (moment, digits) => {
    const day = [moment.getFullYear(), pad(moment.getMonth() + 1), pad(moment.getDate())].join("-");
    const hour = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => pad(part));
    const rest = digits ? `.${pad(moment.getMilliseconds(), 3).slice(0, digits)}` : "";
    return `${day} ${hour.join(":")}${rest}`;
  };
  const utc = (text, digits) => {
    const [whole, rest = ""] = text.replace("Z", "").split(".");
    const shown = whole.replace("T", " ");
    return digits ? `${shown}.${rest.padEnd(digits, "0").slice(0, digits)}` : shown;
  };
  const tellTime = (element) => {
    const said = element.getAttribute("datetime");
    const digits = Number(element.dataset.digits || 0);
    if (!said || !element.firstChild) return;
    const isLocal = root.dataset.clock === "local";
    const text = isLocal ? local(new Date(said), digits) : utc(said, digits);
    if (element.firstChild.nodeValue !== text) element.firstChild.nodeValue = text;
    const title = isLocal ? `${utc(said, digits)} UTC` : `${local(new Date(said), digits)} local`;
    if (element.title !== title) element.title = title;
  };
  const tellTimes = (within) => {
    window.mlplugin?.relabel?.(within);
    if (within.matches?.("time[datetime]")) tellTime(within);
    within.querySelectorAll?.("time[datetime]").forEach(tellTime);
  };
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
      if (element?.matches?.("time")) tellTime(element);
      addedNodes.forEach(tellTimes);
    }
  }).observe(root, {
    childList: true, subtree: true, characterData: true,
    attributes: true, attributeFilter: ["datetime"],
  });

  /* Switches. */
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const nameSwitches = () => {
    const clock = document.getElementById("clock");
    const shade = document.getElementById("theme");
    if (!clock || !shade) return;
    const isLocal = root.dataset.clock === "local";
    clock.textContent = isLocal ? "Local" : "UTC";
    clock.setAttribute("aria-label", `Times are in ${isLocal ? "local time" : "UTC"}: switch`);
    shade.textContent = theme() === "dark" ? "Dark" : "Light";
    shade.setAttribute("aria-label", `The theme is ${theme()}: switch`);
    const out = document.getElementById("sign-out");
    if (out) out.hidden = !csrf();
  };
  dark.addEventListener("change", () => nameSwitches());
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("button.switch");
    if (!pressed) return;
    if (pressed.id === "theme") {
      root.dataset.theme = theme() === "dark" ? "light" : "dark";
      store("theme", root.dataset.theme);
    } else if (pressed.id === "clock") {
      root.dataset.clock = root.dataset.clock === "local" ? "utc" : "local";
      store("clock", root.dataset.clock);
      tellTimes(document);
    } else if (pressed.id === "sign-out") {
      fetched("/sign-out", { method: "POST", headers: { "X-CSRFToken": csrf() } }).finally(() =>
        location.assign("/sign-in"),
      );
      return;
    }
    nameSwitches();
  });
  const csrf = () => /(?:^|; )_csrf_token=([^;]*)/.exec(document.cookie)?.[1] || "";

  /* What the service wrote into the page makes room for Dash's own, which is the same. */
  const takeOver = () => {
    const first = document.getElementById("first");
    const entry = document.getElementById("react-entry-point");
    if (!first || !document.getElementById("page")?.childElementCount) return;
    const focused = document.activeElement;
    const again = first.contains(focused) ? placeOf(focused, first) : () => null;
    const written = [...first.querySelectorAll("input[id], select[id]")].filter(isWritten);
    const opened = [...first.querySelectorAll("details")].map((one) => one.open);
    first.remove();
    entry.hidden = false;
    for (const { id, value } of written) {
      const field = document.getElementById(id);
      if (!field) continue;
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    entry.querySelectorAll("details").forEach((one, place) => {
      if (opened[place] && !one.open) open(one);
    });
    document.dispatchEvent(new Event("mlplugin-there"));
    if (!focused?.isConnected) again(entry)?.focus({ preventScroll: true });
  };
  /* A choice has no value of its own to begin with: an option has, or the first is it. */
  const isWritten = (field) => {
    if (!field.matches("select")) return field.value !== field.defaultValue;
    const options = [...field.options];
    return field.value !== (options.find((one) => one.defaultSelected) || options[0])?.value;
  };
  /* Where Dash fills it when it is opened, Dash has to know. */
  const open = (details) => {
    const summary = details.querySelector("summary[id]");
    if (summary) summary.click();
    else details.open = true;
  };
  /* Finds what is the same elsewhere: by its id, else the one in its place among its like. */
  const placeOf = (element, within) => {
    const said = (one) => [one.getAttribute("href"), one.ariaLabel, one.textContent].join(" ");
    const alike = (where) => [...where.querySelectorAll(element.tagName)].filter((one) => said(one) === wanted);
    const wanted = said(element);
    const place = alike(within).indexOf(element);
    return (where) => (element.id ? document.getElementById(element.id) : alike(where)[place]);
  };

  /* A page is there: its title, where the navigation stands, and the keyboard's place. */
  let before = null;
  const arrived = (title) => {
    if (!title) return window.dash_clientside.no_update;
    tell("");
    document.title = `${title} · mlplugin`;
    const { pathname } = location;
    nameLinks();
    if (before !== null && before !== pathname) {
      document.getElementById("main")?.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    before = pathname;
    requestAnimationFrame(takeOver);
    return pathname;
  };
  const nameLinks = () => {
    document.querySelectorAll("nav.pages a").forEach((link) => {
      link.setAttribute("href", ranged(link.pathname));
      if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
  };
  nameLinks();
  nameSwitches();
  tellTimes(document);
  before = location.pathname;

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.mlplugin = { ...window.dash_clientside.mlplugin, arrived };
  window.mlplugin = { ...window.mlplugin, go, tellAway: () => tell(AWAY) };
})();
