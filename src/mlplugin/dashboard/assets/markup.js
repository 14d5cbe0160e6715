/* The component that a part of a page comes as, where nothing of it is Dash's: however much is in
   it, React has one element to look after. The service wrote its HTML, and escaped what others
   chose.

   When it changes, what is in the page is changed where the two writings differ, and the rest is
   let be: where the keyboard is, what is opened, what is being drawn over. */
(() => {
  const { ELEMENT_NODE } = Node;

  /* Names each child among its siblings: rows and items go by what they are about, others by their
     place among those of their kind. */
  const keysOf = (nodes) => {
    const seen = new Map();
    return nodes.map((node) => {
      const own = node.nodeType === ELEMENT_NODE && (node.id || node.dataset.name ||
        (node.matches("tr, li") && node.querySelector("a[href]")?.getAttribute("href")));
      const name = `${node.nodeName} ${own || ""}`;
      const count = seen.get(name) || 0;
      seen.set(name, count + 1);
      return `${name} ${count}`;
    });
  };

  const putAttributes = (shown, before, now) => {
    for (const { name } of before.attributes) if (!now.hasAttribute(name)) shown.removeAttribute(name);
    for (const { name, value } of now.attributes) {
      if (before.getAttribute(name) !== value) shown.setAttribute(name, value);
    }
  };

  const putChildren = (shown, before, now) => {
    const [old, wanted] = [[...before.childNodes], [...now.childNodes]];
    const there = [...shown.childNodes].slice(0, old.length);
    /* what somebody else put in its place is no part of ours */
    if (there.length < old.length || there.some((node, place) => node.nodeName !== old[place].nodeName)) {
      shown.replaceChildren(...wanted.map((node) => node.cloneNode(true)));
      return;
    }
    const keys = keysOf(wanted);
    const stays = new Set(keys);
    const known = new Map();
    keysOf(old).forEach((key, place) => {
      if (stays.has(key)) known.set(key, [there[place], old[place]]);
      else there[place].remove();
    });
    let next = shown.firstChild;
    wanted.forEach((node, place) => {
      const [found, was] = known.get(keys[place]) || [node.cloneNode(true), node];
      if (found === next) next = next.nextSibling;
      else shown.insertBefore(found, next);
      put(found, was, node);
    });
  };

  /* Turns what is shown, which was written as `before`, into `now`. */
  const put = (shown, before, now) => {
    if (before.isEqualNode(now)) return;
    if (now.nodeType !== ELEMENT_NODE) {
      shown.nodeValue = now.nodeValue;
      return;
    }
    putAttributes(shown, before, now);
    putChildren(shown, before, now);
  };

  const written = (element, html) => {
    const other = element.cloneNode(false);
    other.innerHTML = html;
    return other;
  };
  /* Dash takes a part out of the page and puts its next writing in, in one go. What goes is kept
     that long, by its place, for what comes there: of the same kind, on the same page. */
  let gone = new Map();
  const leave = (element, tag, html) => {
    if (!gone.size) queueMicrotask(() => (gone = new Map()));
    const focused = document.activeElement;
    const place = element.parentNode;
    gone.set(place, [...(gone.get(place) || []), {
      element, tag, html, address: location.href,
      focused: element.contains(focused) ? focused : null,
    }]);
  };
  const arrive = (element, tag, html) => {
    const left = gone.get(element.parentNode) || [];
    const at = left.findIndex((one) => one.tag === tag && one.address === location.href);
    if (at < 0) return;
    const before = left.splice(0, at + 1)[at];
    if (before.html !== html) {
      const was = element.cloneNode(false);
      was.innerHTML = before.html;
      putChildren(before.element, was, element.cloneNode(true));
    }
    element.replaceChildren(...before.element.childNodes);
    if (before.element.open) element.open = true;
    const focused = before.focused === before.element ? element : before.focused;
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  };

  window.mlplugin_markup = {
    Markup: ({ tag, attributes, html }) => {
      const { createElement, useLayoutEffect, useRef } = window.React;
      const there = useRef(null);
      useLayoutEffect(() => {
        const element = there.current;
        arrive(element, tag, html);
        return () => leave(element, tag, html);
      }, []);
      return createElement(tag, { ...attributes, ref: there, dangerouslySetInnerHTML: { __html: html } });
    },
  };
})();
