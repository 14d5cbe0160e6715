/* Dash comes when the page is painted: its scripts in their order, then Dash itself. */
(() => {
  const bring = (script) =>
    new Promise((done, fail) => {
      const other = document.createElement("script");
      other.src = script.getAttribute("src");
      other.async = false;
      other.onload = done;
      other.onerror = fail;
      document.head.append(other);
    });
  const start = async () => {
    await Promise.all([...document.querySelectorAll("script.later")].map(bring));
    window.renderer = new window.DashRenderer();
  };
  const painted = () => requestAnimationFrame(() => setTimeout(start));
  if (document.hidden) setTimeout(start);
  else painted();
})();
