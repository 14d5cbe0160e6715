/* The component that a part of a page comes as, where nothing of it is Dash's: however much is in
   it, React has one element to look after. The service wrote its HTML, and escaped what others
   chose. */
window.mlplugin_markup = {
  Markup: ({ tag, attributes, html }) =>
    window.React.createElement(tag, { ...attributes, dangerouslySetInnerHTML: { __html: html } }),
};
