import { LANGUAGES, languageFor, textFor, type Strings } from "@facegate/protocol/strings.js";
import { CameraError, CancelledError, FacegateError, ServerNotTrustedError } from "../errors.js";
import type { AttemptResult, HintCode } from "../events.js";
import type { Attestor } from "../evidence.js";
import { FlashLayer } from "../flash/layer.js";
import { FaceScan, type ScanOutcome, type ScanScreen, type ScanTicket } from "../scan.js";
import { errorText, firstSentence, interruptionText, outcomeText } from "./error_text.js";
import type { Preview, Start } from "./start_card.js";
import { View } from "./view.js";

const TEXTS: Record<ScanOutcome["status"], keyof Omit<Strings, "hints">> = {
  success: "success",
  completed: "completed",
  failure: "failure",
  retry: "failure",
};
/** A text in the language that the person reads now. */
type Told = (strings: Strings) => string;
const NOTHING: Told = () => "";
const CALM = "(prefers-reduced-motion: reduce)";
const RIGHT_TO_LEFT = new Set(["ar"]);
/** What the element extends; a server that renders pages imports this module, and has no DOM. */
const BaseElement: typeof HTMLElement = globalThis.HTMLElement ?? class {};

/**
 * The capture screen: `<facegate-scan server="wss://…">`.
 *
 * Set `getTicket`, which is called when the person starts. The attribute `flash` allows the colours of DYNAMIC, if the
 * person does not decline them; `lang` sets the language. A child with `slot="purpose"` stands on the first card in place of
 * its title and purpose, one with `slot="agree"` in place of its button's words.
 *
 * Dispatches `facegate-finished` with the `ScanOutcome` and `facegate-failed` with a `FacegateError`, or what `getTicket`
 * threw, as `detail`. Both are for the interface only: your backend calls `FinishCheck`.
 */
export class FacegateScan extends BaseElement {
  /** Gets the ticket of a new check from your backend. */
  getTicket: (() => Promise<ScanTicket>) | undefined;
  /** The evidence of the platform; by default a key of WebCrypto. */
  attestors: readonly Attestor[] | undefined;
  /** Version of your page, for the server's statistics. */
  appVersion = "";

  static readonly observedAttributes = ["lang", "flash"];

  private readonly view: View;
  private readonly pageLanguage = new MutationObserver(() => this.chooseLanguage());
  private strings: Strings = LANGUAGES.en as Strings;
  private language = "en";
  private running = false;
  /** Whether the person declined the colours. */
  private declined = false;
  private scan: FaceScan | undefined;
  /** The camera that the person chose. */
  private deviceId: string | undefined;
  private leave: (() => void) | undefined;
  /** Draw what is shown again. */
  private drawCard: (() => void) | undefined;
  private drawQuestion: (() => void) | undefined;
  private hinted: Told = NOTHING;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    this.view = new View(root, () => this.cancel(), () => void this.takeOtherCamera());
  }

  connectedCallback(): void {
    this.pageLanguage.observe(document.documentElement, { attributeFilter: ["lang"] });
    this.chooseLanguage();
    if (this.drawCard === undefined) this.showFirst();
    else this.view.reopenScreen();
  }

  disconnectedCallback(): void {
    this.pageLanguage.disconnect();
    // An element that is moved in the document is connected again by then.
    queueMicrotask(() => {
      if (!this.isConnected) this.cancel();
    });
  }

  /** Called in place of the two above by `moveBefore`, which keeps everything as it is. */
  connectedMoveCallback(): void {
    this.chooseLanguage();
  }

  attributeChangedCallback(name: string): void {
    if (!this.isConnected) return;
    if (name === "flash") this.drawCard?.();
    else this.chooseLanguage();
  }

  /** Cancels the running scan, if there is one. */
  cancel(): void {
    this.leave?.();
    this.scan?.cancel();
  }

  /** Takes the language of the nearest `lang`, and shows everything in it. */
  private chooseLanguage(): void {
    const nearest = this.closest("[lang]")?.getAttribute("lang");
    const language = languageFor([...(nearest ? [nearest] : []), ...navigator.languages]);
    this.dir = RIGHT_TO_LEFT.has(language) ? "rtl" : "ltr";
    if (language === this.language && this.drawCard !== undefined) return;
    this.language = language;
    const strings = (this.strings = LANGUAGES[language] as Strings);
    this.view.label(strings.title, strings.cancel, strings.otherCamera);
    this.drawCard?.();
    this.drawQuestion?.();
    if (this.hinted !== NOTHING) this.hint(this.hinted);
  }

  private showCard(title: Told, text: Told, focus: boolean): void {
    this.keepDrawing((focused) => this.view.showCard(title(this.strings), text(this.strings), focused), focus);
  }

  /** Shows the card before the first scan. */
  private showFirst(): void {
    const purpose: Told = ({ intro }) => firstSentence(intro)[0];
    this.showStart((strings) => strings.title, purpose, false, ({ how, intro }) => ({ how, advice: firstSentence(intro)[1] }));
  }

  private showStart(title: Told, text: Told, focus: boolean, preview?: (strings: Strings) => Preview): void {
    const draw = (focused: boolean): void => {
      const { strings } = this;
      const flashes = this.hasAttribute("flash") && !matchMedia(CALM).matches;
      const colours = {
        notice: `${strings.flashNotice} ${strings.brightness}`,
        label: strings.flashDecline,
        declined: this.declined,
        decline: (declined: boolean) => (this.declined = declined),
      };
      const start: Start = {
        title: title(strings),
        text: text(strings),
        label: strings.start,
        // No colour comes that the card did not name.
        act: () => void this.run(flashes && !this.declined && !matchMedia(CALM).matches),
        ...(flashes ? { colours } : {}),
        ...(preview === undefined ? {} : { preview: preview(strings) }),
      };
      this.view.showStart(start, focused);
    };
    this.keepDrawing(draw, focus);
  }

  /** Draws a card, and again when what it depends on changes. */
  private keepDrawing(draw: (focused: boolean) => void, focus: boolean): void {
    this.drawCard = () => draw(false);
    draw(focus);
  }

  private hint(text: Told): void {
    this.hinted = text;
    this.view.hint(text(this.strings));
  }

  private hintOf(code: HintCode): void {
    this.hint((strings) => textFor(strings, code));
  }

  private async run(flashes: boolean): Promise<void> {
    // A second click of a person who clicks twice.
    if (this.running) return;
    this.running = true;
    // In this order: the later one covers the earlier.
    const fills = flashes && (await fillScreen());
    this.view.openScreen();
    this.hint((strings) => strings.camera);
    const awake = await navigator.wakeLock?.request("screen").catch(() => undefined);
    let left = false;
    const leaving = new Promise<never>((_, reject) => {
      this.leave = () => {
        left = true;
        reject(new CancelledError());
      };
    });
    leaving.catch(() => undefined);
    try {
      if (this.getTicket === undefined) throw new TypeError("set getTicket of <facegate-scan>");
      const ticket = await Promise.race([this.getTicket(), leaving]);
      if (left) throw new CancelledError();
      this.leave = undefined;
      this.scan = this.newScan(ticket, flashes);
      this.finished(await this.scan.run());
    } catch (error) {
      this.failed(error);
    } finally {
      this.running = false;
      this.scan = this.leave = this.drawQuestion = undefined;
      this.hinted = NOTHING;
      await awake?.release();
      if (fills && document.fullscreenElement !== null) await document.exitFullscreen().catch(() => undefined);
    }
  }

  private newScan(ticket: ScanTicket, flashes: boolean): FaceScan {
    const { view } = this;
    const [first, second] = view.colours;
    const layer = new FlashLayer(first, second, (on) => view.flash(on));
    const screen: ScanScreen = {
      flashes,
      movesOval: true,
      show: (colour, appeared) => layer.show(colour, appeared),
      restore: () => layer.restore(),
    };
    let connected = false;
    return new FaceScan({
      server: this.getAttribute("server") ?? "",
      ticket,
      video: view.video,
      screen,
      language: this.language,
      appVersion: this.appVersion,
      ...(this.deviceId === undefined ? {} : { deviceId: this.deviceId }),
      ...(this.attestors === undefined ? {} : { attestors: this.attestors }),
      getReady: (result) => this.getReady(result),
      events: {
        connected: (oval) => {
          connected = true;
          view.moveOval(oval, 300);
          this.hintOf("UNSPECIFIED");
          void this.offerOtherCamera();
        },
        attemptStarted: ({ oval }) => {
          this.answered();
          view.moveOval(oval, 300);
          view.progress(0);
          this.hintOf("UNSPECIFIED");
        },
        hint: (code, progress) => {
          this.hintOf(code);
          view.progress(progress);
        },
        paused: (reason) => this.hintOf(reason ?? "UNSPECIFIED"),
        ovalChanged: (oval, ms) => view.moveOval(oval, ms),
        captureFinished: () => {
          view.progress(1);
          this.hint((strings) => strings.deciding);
        },
        connectionLost: () => this.hint((strings) => (connected ? strings.reconnecting : strings.unreachable)),
      },
    });
  }

  /** Asks whether the person is ready for another attempt, after the hints of the last one. */
  private getReady(result: AttemptResult): Promise<void> {
    return new Promise((resolve) => {
      const act = (): void => {
        this.answered();
        this.hint((strings) => strings.connecting);
        resolve();
      };
      this.drawQuestion = () => {
        const { strings } = this;
        const { feedback, interruption } = result;
        const texts = interruption
          ? [interruptionText(strings, interruption)]
          : feedback.map((code) => textFor(strings, code));
        this.view.ask(strings.tryAgain, texts, [{ label: strings.ready, primary: true, act }]);
      };
      this.drawQuestion();
    });
  }

  private answered(): void {
    this.drawQuestion = undefined;
    this.view.asked();
  }

  private async offerOtherCamera(): Promise<void> {
    const cameras = (await this.scan?.cameras()) ?? [];
    this.view.offerCamera(cameras.length > 1);
  }

  /** Takes the next camera of the browser's list. The element keeps it for later scans. */
  private async takeOtherCamera(): Promise<void> {
    const cameras = (await this.scan?.cameras()) ?? [];
    const next = cameras[(cameras.findIndex(({ used }) => used) + 1) % cameras.length];
    if (next === undefined) return;
    this.deviceId = next.deviceId;
    this.hint((strings) => strings.connecting);
    this.scan?.changeCamera(next.deviceId);
  }

  private finished(outcome: ScanOutcome): void {
    this.view.closeScreen();
    const title: Told = (strings) => strings[TEXTS[outcome.status]];
    const text: Told = (strings) => outcomeText(strings, outcome);
    if (outcome.status === "retry") this.showStart(title, text, true);
    else this.showCard(title, text, true);
    this.dispatchEvent(new CustomEvent("facegate-finished", { detail: outcome, bubbles: true, composed: true }));
  }

  private failed(error: unknown): void {
    this.view.closeScreen();
    const title: Told = (strings) => firstSentence(errorText(strings, error))[0];
    const advice: Told = (strings) => firstSentence(errorText(strings, error))[1];
    if (error instanceof ServerNotTrustedError) this.showCard(title, advice, true);
    else this.showStart(title, advice, true);
    if (error instanceof CameraError) this.deviceId = undefined;
    if (!(error instanceof FacegateError)) console.error(error);
    this.dispatchEvent(new CustomEvent("facegate-failed", { detail: error, bubbles: true, composed: true }));
  }
}

async function fillScreen(): Promise<boolean> {
  try {
    await document.documentElement.requestFullscreen({ navigationUI: "hide" });
    return true;
  } catch {
    return false;
  }
}
