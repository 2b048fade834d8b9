/** Starts the console. */
import { render } from "preact";
import { App, takeLink } from "./app.js";
import { chosenLanguage, language, setLanguage } from "./texts/index.js";

// Before anything else, so that the secret is in no history and no screenshot.
const link = takeLink();
setLanguage(chosenLanguage(localStorage, navigator.languages));
document.documentElement.lang = language();
render(<App link={link} />, document.body);
