/** Starts the page. */
import { render } from "preact";
import "@facegate/web/element";
import { App } from "./app.js";
import { readArrival, writeArrival } from "./arrival.js";
import { setLanguage } from "./texts.js";

// Before anything else, so that the secret is in no history and no screenshot.
const arrival = readArrival(location.hash);
const language = setLanguage([...(arrival.language === null ? [] : [arrival.language]), ...navigator.languages]);
writeArrival(arrival.check, language);
// Another link in the same tab changes the fragment only.
addEventListener("hashchange", () => location.reload());
render(<App arrival={arrival} />, document.body);
