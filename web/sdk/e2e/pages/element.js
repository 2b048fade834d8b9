import "/dist/element.js";
import "./approach.js";
import "./light.js";

/** Prepares the element; the driver clicks its buttons. */
window.prepare = ({ server, ticket, flash = false, lang = "en", relight = false, follow }) => {
  if (relight) lightByScreen();
  if (follow !== undefined) followOvals(follow);
  const old = document.querySelector("facegate-scan");
  const element = document.createElement("facegate-scan");
  element.setAttribute("server", server);
  Object.assign(document.documentElement, { lang, dir: lang === "ar" ? "rtl" : "ltr" });
  element.lang = lang;
  element.getTicket = async () => ticket;
  window.ended = new Promise((resolve) => {
    element.addEventListener("facegate-finished", ({ detail }) => resolve({ outcome: detail }));
    element.addEventListener("facegate-failed", ({ detail }) =>
      resolve({ error: detail.name, reason: detail.refusal?.reason ?? detail.problem ?? detail.message }),
    );
  });
  old.replaceWith(element);
  // As frameworks do that set attributes later.
  element.toggleAttribute("flash", flash);
};

/** Asks as much as an attempt may leave to ask; returns the edges of the screen, the question and the buttons. */
window.askMuch = ({ lang, codes }) => {
  const element = document.querySelector("facegate-scan");
  element.lang = lang;
  const { view, strings, shadowRoot } = element;
  view.openScreen();
  const texts = codes.map((code) => strings.hints[code]);
  view.ask(strings.tryAgain, texts, [{ label: strings.ready, primary: true, act: () => undefined }]);
  const edges = (selector) => {
    const { top, bottom } = shadowRoot.querySelector(selector).getBoundingClientRect();
    return { top, bottom };
  };
  return { question: edges(".panel"), ready: edges(".panel button"), cancel: edges("[part~=cancel]"), height: innerHeight };
};
