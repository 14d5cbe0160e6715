/* Dash comes when the page is painted: its scripts in their order, then Dash itself. */
(() => {
  const bring = (address) =>
    new Promise((done) => {
      const other = document.createElement("script");
      other.src = address;
      other.async = false;
      other.onload = () => done(true);
      other.onerror = () => done(false);
      document.head.append(other);
    });
  /* One that does not come is asked for again, after a pause; and with it those of Dash's that ran
     without it. Our own need no other to run, and listen once. */
  const LONGEST = 30000;
  const start = async (wanted, pause = 1000) => {
    const came = await Promise.all(wanted.map(bring));
    const missing = came.indexOf(false);
    if (missing < 0) {
      window.renderer = new window.DashRenderer();
      return;
    }
    window.mlplugin?.tellAway?.();
    const again = wanted.filter((address, place) =>
      !came[place] || (place > missing && !address.includes("/assets/")));
    setTimeout(() => start(again, Math.min(2 * pause, LONGEST)), pause);
  };
  const begin = () => {
    start([...document.querySelectorAll("script.later")].map((one) => one.getAttribute("src")));
  };
  if (document.hidden) setTimeout(begin);
  else requestAnimationFrame(() => setTimeout(begin));
})();
