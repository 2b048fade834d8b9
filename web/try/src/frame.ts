/** What both pages share: the footer, and the page for somebody without the secret. */
import { api, type About, carrySecret, Refused, secret } from "./api.js";
import { byId, make } from "./dom.js";

/** Returns what the server states about itself; undefined if the page cannot be used, which it then states. */
export async function openPage(): Promise<About | undefined> {
  carrySecret();
  try {
    if (secret === "") throw new Refused(401, "SECRET_MISSING", "The address lacks its secret.", "", {});
    const about = await api.about();
    showFooter(about);
    return about;
  } catch (error) {
    const stopped = error instanceof Refused && error.status === 0;
    const main = byId("main");
    main.replaceChildren(
      make(
        "section",
        { class: "hero lost" },
        make("h1", {}, stopped ? "Facegate has stopped" : "Open the address from the terminal"),
        make(
          "p",
          {},
          stopped
            ? "Start facegate try again, and open the address that it shows."
            : "It ends in a secret that keeps other pages and other people of this machine out. facegate try shows it when it starts.",
        ),
      ),
    );
    return undefined;
  }
}

function showFooter({ version, pack, sandbox, kept }: About): void {
  const notes = [
    `Facegate ${version}, pack ${pack.name} ${pack.version}, because ${pack.why}.`,
    kept
      ? "What is recorded stays in the folder of --data-dir."
      : "What is recorded is removed when facegate try ends.",
  ];
  byId("about").replaceChildren(
    ...(pack.evaluation
      ? [note("Evaluation pack", "Its models are for evaluation only: never decide about people with these results.")]
      : []),
    ...(sandbox
      ? [note("Sandbox", "Virtual cameras and repeated frames are tolerated. Results prove nothing about a person.")]
      : []),
    ...notes.map((text) => make("p", {}, text)),
  );
}

function note(title: string, text: string): HTMLElement {
  return make("p", { class: "note" }, make("strong", {}, title), " ", text);
}
