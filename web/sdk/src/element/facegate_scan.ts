import {
  CameraError,
  CancelledError,
  ConnectionFailedError,
  FacegateError,
  ScanEndedError,
  ServerNotTrustedError,
  ServerRefusedError,
  UnsupportedBrowserError,
} from "../errors.js";
import type { AttemptResult, HintCode } from "../events.js";
import type { Attestor } from "../evidence.js";
import { FlashLayer } from "../flash/layer.js";
import { FaceScan, type ScanOutcome, type ScanScreen, type ScanTicket } from "../scan.js";
import { LANGUAGES, languageFor, type Strings } from "./strings.js";
import { type Action, View } from "./view.js";

const TEXTS: Record<ScanOutcome["status"], keyof Omit<Strings, "hints">> = {
  success: "success",
  completed: "completed",
  failure: "failure",
  retry: "failure",
};
const RIGHT_TO_LEFT = new Set(["ar"]);
const TOO_LATE = new Set(["TOKEN_EXPIRED", "CHECK_CLOSED"]);

/**
 * The capture screen: `<facegate-scan server="wss://…">`.
 *
 * Set `getTicket`, which is called when the person starts. The attribute `flash` allows the colours of DYNAMIC, if the
 * person accepts them; `lang` sets the language.
 *
 * Dispatches `facegate-finished` with the `ScanOutcome` and `facegate-failed` with a `FacegateError`, or what `getTicket`
 * threw, as `detail`. Both are for the interface only: your backend calls `FinishCheck`.
 */
export class FacegateScan extends HTMLElement {
  /** Gets the ticket of a new check from your backend. */
  getTicket: (() => Promise<ScanTicket>) | undefined;
  /** The evidence of the platform; by default a key of WebCrypto. */
  attestors: readonly Attestor[] | undefined;
  /** Version of your page, for the server's statistics. */
  appVersion = "";

  private readonly view: View;
  private strings: Strings = LANGUAGES.en as Strings;
  private language = "en";
  private scan: FaceScan | undefined;
  private leave: (() => void) | undefined;

  constructor() {
    super();
    this.view = new View(this.attachShadow({ mode: "open" }), () => this.cancel());
  }

  connectedCallback(): void {
    const nearest = this.closest("[lang]")?.getAttribute("lang");
    this.language = languageFor([...(nearest ? [nearest] : []), ...navigator.languages]);
    this.strings = LANGUAGES[this.language] as Strings;
    const surface = this.shadowRoot?.host as HTMLElement;
    surface.dir = RIGHT_TO_LEFT.has(this.language) ? "rtl" : "ltr";
    if (this.scan === undefined) this.showStart(this.strings.title, this.strings.intro, false);
  }

  disconnectedCallback(): void {
    this.cancel();
  }

  /** Cancels the running scan, if there is one. */
  cancel(): void {
    this.leave?.();
    this.scan?.cancel();
  }

  private showStart(title: string, text: string, focus: boolean): void {
    const start: Action = { label: this.strings.start, primary: true, act: () => this.begin() };
    this.view.showCard(title, text, [start], focus);
  }

  private begin(): void {
    const { strings } = this;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!this.hasAttribute("flash") || calm) {
      void this.run(false);
      return;
    }
    const actions: Action[] = [
      { label: strings.flashAccept, primary: true, act: () => void this.run(true) },
      { label: strings.flashDecline, act: () => void this.run(false) },
    ];
    this.view.showCard(strings.flashTitle, `${strings.flashNotice} ${strings.brightness}`, actions, true);
  }

  private async run(flashes: boolean): Promise<void> {
    const { strings, view } = this;
    // In this order: the later one covers the earlier.
    const fills = flashes && (await fillScreen());
    view.openScreen(strings.title, strings.cancel);
    view.hint(strings.camera);
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
      this.scan = this.leave = undefined;
      await awake?.release();
      if (fills && document.fullscreenElement !== null) await document.exitFullscreen().catch(() => undefined);
    }
  }

  private newScan(ticket: ScanTicket, flashes: boolean): FaceScan {
    const { view, strings } = this;
    const [first, second] = view.colours;
    const layer = new FlashLayer(first, second, (on) => view.flash(on));
    const screen: ScanScreen = {
      flashes,
      movesOval: true,
      show: (colour, appeared) => layer.show(colour, appeared),
      restore: () => layer.restore(),
    };
    return new FaceScan({
      server: this.getAttribute("server") ?? "",
      ticket,
      video: view.video,
      screen,
      language: this.language,
      appVersion: this.appVersion,
      ...(this.attestors === undefined ? {} : { attestors: this.attestors }),
      getReady: (result) => this.getReady(result),
      events: {
        connected: (oval) => {
          view.moveOval(oval, 300);
          view.hint(this.text("UNSPECIFIED"));
        },
        attemptStarted: ({ oval }) => {
          view.asked();
          view.moveOval(oval, 300);
          view.progress(0);
          view.hint(this.text("UNSPECIFIED"));
        },
        hint: (code, progress) => {
          view.hint(this.text(code));
          view.progress(progress);
        },
        paused: (reason) => view.hint(this.text(reason ?? "UNSPECIFIED")),
        ovalChanged: (oval, ms) => view.moveOval(oval, ms),
        captureFinished: () => {
          view.progress(1);
          view.hint(strings.deciding);
        },
        connectionLost: () => view.hint(strings.reconnecting),
      },
    });
  }

  /** Asks whether the person is ready for another attempt, after the hints of the last one. */
  private getReady(result: AttemptResult): Promise<void> {
    const { strings, view } = this;
    return new Promise((resolve) => {
      const act = (): void => {
        view.asked();
        view.hint(strings.connecting);
        resolve();
      };
      view.ask(strings.tryAgain, this.texts(result.feedback), [{ label: strings.ready, primary: true, act }]);
    });
  }

  private finished(outcome: ScanOutcome): void {
    this.view.closeScreen();
    const title = this.strings[TEXTS[outcome.status]];
    const text = this.texts(outcome.feedback.filter((code) => code !== "FAILED")).join(" ");
    if (outcome.status === "retry") this.showStart(title, text, true);
    else this.view.showCard(title, text, [], true);
    this.dispatchEvent(new CustomEvent("facegate-finished", { detail: outcome, bubbles: true, composed: true }));
  }

  private failed(error: unknown): void {
    this.view.closeScreen();
    const text = this.strings[textOf(error)];
    if (error instanceof ServerNotTrustedError) this.view.showCard(text, "", [], true);
    else this.showStart(text, "", true);
    if (!(error instanceof FacegateError)) console.error(error);
    this.dispatchEvent(new CustomEvent("facegate-failed", { detail: error, bubbles: true, composed: true }));
  }

  private text(code: HintCode): string {
    return this.strings.hints[code] ?? this.strings.hints.UNSPECIFIED ?? "";
  }

  private texts(codes: HintCode[]): string[] {
    return codes.map((code) => this.text(code));
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

function textOf(error: unknown): keyof Omit<Strings, "hints"> {
  if (error instanceof CancelledError) return "cancelled";
  if (error instanceof CameraError) return error.problem === "failed" ? "problem" : error.problem;
  if (error instanceof UnsupportedBrowserError) return "unsupported";
  if (error instanceof ServerNotTrustedError) return "untrusted";
  if (error instanceof ConnectionFailedError) return "network";
  if (error instanceof ScanEndedError) return error.reason === "DEADLINE" ? "expired" : "problem";
  if (!(error instanceof ServerRefusedError)) return "problem";
  if (TOO_LATE.has(error.refusal.reason)) return "expired";
  return error.refusal.retryAfterMs > 0 ? "later" : "problem";
}
