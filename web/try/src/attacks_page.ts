/** The page about attacks: a genuine person and attackers, as the server saw them. */
import { api, type Attack, type AttackDetail, type Film } from "./api.js";
import { button, byId, filled, make } from "./dom.js";
import { film } from "./film.js";
import { openPage } from "./frame.js";
import { icon } from "./icons.js";
import { problem, words } from "./problem.js";

const POLL_MS = 700;
const STATES: Record<Attack["state"], string> = {
  waiting: "waits",
  rendering: "is drawn",
  scanning: "is scanned",
  deciding: "is judged",
  done: "done",
  failed: "failed",
};

/** The cards, each with the state that it shows. */
class Gallery {
  private readonly cards = new Map<string, { card: HTMLElement; state: string }>();
  private readonly genuine = new Map<string, Film>();
  private readonly bar = make("progress", { max: 1, value: 0, "aria-label": "Checks that are done" });
  private readonly count = make("p", { role: "status" });
  private paused = matchMedia("(prefers-reduced-motion: reduce)").matches;

  constructor() {
    const pause = button("", () => this.pause(!this.paused, pause), "quiet");
    byId("runbar").replaceChildren(this.count, this.bar, pause);
    this.pause(this.paused, pause);
  }

  /** Shows the present state of all checks; returns whether all have ended. */
  async show(attacks: Attack[]): Promise<boolean> {
    if (this.cards.size === 0) this.lay(attacks);
    for (const attack of attacks) await this.update(attack);
    const ended = attacks.filter(({ state }) => state === "done" || state === "failed");
    this.bar.value = attacks.reduce((sum, { state, progress }) => sum + (state === "failed" ? 1 : progress), 0) / attacks.length;
    const text = ended.length === attacks.length ? `All ${attacks.length} checks are done.` : `${ended.length} of ${attacks.length} checks are done.`;
    if (this.count.textContent !== text) this.count.textContent = text;
    return ended.length === attacks.length;
  }

  private lay(attacks: Attack[]): void {
    const modes = new Map(attacks.map(({ mode, about }) => [mode, about]));
    const sections = [...modes].map(([mode, about]) => {
      const cards = attacks.filter((attack) => attack.mode === mode).map((attack) => {
        const card = make("article", { class: "attack", id: attack.key });
        this.cards.set(attack.key, { card, state: "" });
        return card;
      });
      return make("section", { class: "gallery" }, make("h2", {}, words(mode)), make("p", { class: "soft" }, about), make("div", { class: "grid" }, ...cards));
    });
    byId("attacks").replaceChildren(...sections);
  }

  private async update(attack: Attack): Promise<void> {
    const known = this.cards.get(attack.key);
    if (known === undefined) return;
    if (attack.state !== "done") {
      if (known.state !== attack.state) known.card.replaceChildren(...this.waiting(attack));
      const meter = known.card.querySelector("progress");
      if (meter !== null) meter.value = attack.progress;
    } else if (known.state !== "done") {
      this.fill(known.card, await api.attack(attack.key));
    }
    known.state = attack.state;
  }

  private waiting({ title, shown, state, error }: Attack): Node[] {
    const blank = make("div", { class: `blank ${state}`, "aria-hidden": "true" });
    if (state === "failed") return [make("h3", {}, title), problem(error)];
    return [
      make("div", { class: "films" }, blank),
      make("h3", {}, title),
      make("p", { class: "soft" }, shown),
      make("p", { class: "soft small state" }, state === "waiting" ? "Waits for its turn" : `The scan ${STATES[state]}…`),
      make("progress", { max: 1, value: 0, "aria-label": `Progress of ${title}` }),
    ];
  }

  private fill(card: HTMLElement, detail: AttackDetail): void {
    const { explained, genuine, tone, mode } = detail;
    if (genuine && detail.film !== null && !this.genuine.has(mode)) this.genuine.set(mode, detail.film);
    const compared = genuine ? undefined : (this.genuine.get(mode) ?? this.genuine.get("DYNAMIC") ?? this.genuine.get("EXPRESS"));
    card.className = `attack ${tone}${genuine ? " genuine" : ""}`;
    card.replaceChildren(
      make(
        "div",
        { class: "films" },
        compared !== undefined && film(compared, "The person", "good"),
        detail.film !== null && film(detail.film, genuine ? "The person" : "This scan", tone),
      ),
      ...filled(explained),
    );
  }

  private pause(paused: boolean, control: HTMLButtonElement): void {
    this.paused = paused;
    document.body.classList.toggle("paused", paused);
    control.replaceChildren(icon(paused ? "play" : "pause"), paused ? "Play the films" : "Pause the films");
  }
}

async function run(): Promise<void> {
  const gallery = new Gallery();
  let attacks = await api.startAttacks();
  while (!(await gallery.show(attacks))) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    attacks = await api.attacks();
  }
}

if ((await openPage()) !== undefined) {
  await run().catch((error: unknown) => byId("runbar").replaceChildren(problem(error)));
}
