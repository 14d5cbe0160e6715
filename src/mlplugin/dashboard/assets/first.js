/* Runs before anything is painted: the theme that was chosen, and styles that carry the nonce. */
(() => {
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("mlplugin.theme");
    if (chosen) root.dataset.theme = chosen;
    root.dataset.clock = localStorage.getItem("mlplugin.clock") || "utc";
  } catch {
    root.dataset.clock = "utc";
  }
  // Dash and plotly put style sheets into the page from their scripts. The policy lets a sheet in
  // only with this response's nonce, so that one that comes with data is refused.
  const { nonce } = document.currentScript;
  const create = Document.prototype.createElement;
  Document.prototype.createElement = function (name, options) {
    const element = create.call(this, name, options);
    if (String(name).toLowerCase() === "style") element.setAttribute("nonce", nonce);
    return element;
  };
})();
