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
  element.toggleAttribute("flash", flash);
  element.getTicket = async () => ticket;
  window.ended = new Promise((resolve) => {
    element.addEventListener("facegate-finished", ({ detail }) => resolve({ outcome: detail }));
    element.addEventListener("facegate-failed", ({ detail }) =>
      resolve({ error: detail.name, reason: detail.refusal?.reason ?? detail.problem ?? detail.message }),
    );
  });
  old.replaceWith(element);
};
