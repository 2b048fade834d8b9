/** The page: consent and the scan here or on a phone, and the end. */
import type { ComponentChildren, HTMLAttributes } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { FacegateScan } from "@facegate/web/element";
import { ConnectionFailedError, type ScanOutcome, type ScanStatus, type ScanTicket } from "@facegate/web";
import { answer, getTicket, type Look, open, Problem, readLook, readState, showCode, type View } from "./api.js";
import { type Arrival, type Secret, writeArrival } from "./arrival.js";
import { language, scanStrings, setLanguage, t, TEXTS, type Texts } from "./texts.js";

declare module "preact" {
  namespace JSX {
    interface IntrinsicElements {
      "facegate-scan": HTMLAttributes<FacegateScan> &
        Pick<FacegateScan, "getTicket" | "appVersion"> & {
          server: string;
          flash: "";
          "onfacegate-finished": (event: CustomEvent<ScanOutcome>) => void;
          "onfacegate-failed": () => void;
        };
    }
  }
}

const POLL_MS = 2000;
const RETURN_MS = 5000;

const PROBLEMS: Record<string, keyof Texts> = {
  unknown: "unknown",
  used: "used",
  expired: "expired",
  closed: "closed",
  code_unknown: "codeUnknown",
  code_expired: "codeUnknown",
  code_used: "codeUsed",
  handed_over: "handedOver",
  too_many: "tooMany",
};

export function App({ arrival }: { arrival: Arrival }) {
  const [look, setLook] = useState<Look>();
  const [, redraw] = useState(language());
  const [problem, setProblem] = useState("");
  const load = () => {
    setProblem("");
    readLook().then(setLook, () => setProblem("offline"));
  };
  useEffect(load, []);
  useEffect(() => {
    if (look === undefined) return;
    document.title = look.name;
    document.documentElement.style.setProperty("--accent", look.color);
  }, [look]);
  if (look === undefined) return <main>{problem && <Stop look={{ name: "" }} problem={problem} retry={load} />}</main>;
  const choose = (event: Event) => {
    const chosen = setLanguage([(event.currentTarget as HTMLSelectElement).value]);
    const { check } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    writeArrival(check ?? null, chosen);
    redraw(chosen);
  };
  const links = (["privacy", "imprint", "help"] as const).flatMap((name) => {
    const address = look.links[name];
    return address === undefined ? [] : [{ name, address }];
  });
  return (
    <>
      <header>
        {look.logo && <img src={look.logo} alt="" />}
        <span>
          <bdi>{look.name}</bdi>
        </span>
      </header>
      <main>
        <Steps arrival={arrival} look={look} />
      </main>
      <footer>
        {links.length > 0 && (
          <nav aria-label={look.name}>
            {links.map(({ name, address }) => (
              <a key={name} href={address} target="_blank" rel="noreferrer">
                {t(name)}
              </a>
            ))}
          </nav>
        )}
        <label>
          {t("language")}
          <select value={language()} onChange={choose}>
            {Object.entries(TEXTS).map(([name, { own }]) => (
              <option key={name} value={name} lang={name}>
                {own}
              </option>
            ))}
          </select>
        </label>
      </footer>
    </>
  );
}

/** What the person does one after the other. */
function Steps({ arrival: { secret, check }, look }: { arrival: Arrival; look: Look }) {
  const [first, setFirst] = useState<View>();
  const [problem, setProblem] = useState("");
  const begin = () => {
    if (check === null) return;
    setProblem("");
    readState(check).then(setFirst, (error: unknown) => setProblem(wordFor(error)));
  };
  useEffect(begin, []);
  if (problem) return <Stop look={look} problem={problem} {...(passes(problem) ? { retry: begin } : {})} />;
  if (first !== undefined) return <Check first={first} look={look} />;
  if (check !== null) return null;
  return secret === null ? <Stop look={look} problem="unknown" /> : <Check secret={secret} look={look} />;
}

interface CheckProps {
  /** What opens the check, once the person agrees. */
  secret?: Secret;
  /** What this browser knew of the check when it loaded the page again. */
  first?: View;
  look: Look;
}

/** The scan, here or on a phone, and its end. */
function Check({ secret, first, look }: CheckProps) {
  const [view, setView] = useState(first);
  const [problem, setProblem] = useState("");
  const [trouble, setTrouble] = useState("");
  const [declined, setDeclined] = useState(false);
  const [ended, setEnded] = useState<ScanStatus>();
  const [handing, setHanding] = useState(first !== undefined && first.handOver !== "none");
  const [opening, setOpening] = useState(false);
  const [cameras, setCameras] = useState<number>();
  // The person has agreed and started; a phone waits for its number to be confirmed; the capture screen scans.
  const [started, setStarted] = useState(false);
  const [numbered, setNumbered] = useState(false);
  const [scanning, setScanning] = useState(false);
  const answering = useRef<Promise<View>>(undefined);
  const confirm = useRef<() => void>(undefined);
  /** Counts the starts and their ends. */
  const turn = useRef(0);
  const element = useRef<FacegateScan>(null);
  const phone = view?.phone ?? (secret !== undefined && "code" in secret);
  const stage = view?.stage ?? "waiting";
  const check = view?.check;
  const confirmed = view?.handOver === "confirmed";
  const over = stage === "done" || stage === "expired" || stage === "cancelled";
  // While the capture screen scans, it hears of the end itself, and shows more of it.
  const watched = over || ended !== undefined || problem !== "" || scanning ? undefined : check;
  useEffect(() => void countCameras().then(setCameras), []);
  useEffect(() => {
    if (watched === undefined) return;
    let left = false;
    const read = async () => {
      if (document.visibilityState === "hidden") return;
      try {
        const now = await readState(watched);
        if (!left) setView(now);
      } catch (error) {
        const word = wordFor(error);
        if (!left && !passes(word)) setProblem(word === "unknown" && phone ? "code_unknown" : word);
      }
    };
    const timer = setInterval(read, POLL_MS);
    document.addEventListener("visibilitychange", read);
    return () => {
      left = true;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", read);
    };
  }, [watched, phone]);
  useEffect(() => {
    if (confirmed) confirm.current?.();
  }, [confirmed]);
  /** Opens the check, unless it is open; only once the person has agreed. */
  const opened = async (): Promise<View> => {
    if (view !== undefined) return view;
    // Once, also if the person presses two buttons: a second browser is refused, and this one has no cookie yet.
    const now = await (answering.current ??= open(secret as Secret).finally(() => (answering.current = undefined)));
    writeArrival(now.check, language());
    setView(now);
    // Nobody scanned on this page: to say that the scan is complete would puzzle who has just arrived.
    if (now.stage === "done") throw new Problem("closed");
    return now;
  };
  const ticket = async (): Promise<ScanTicket> => {
    setStarted(true);
    const mine = (turn.current += 1);
    try {
      const now = await opened();
      if (now.phone && now.handOver !== "confirmed") {
        setNumbered(true);
        await new Promise<void>((resolve) => (confirm.current = resolve));
      }
      // Who has left meanwhile takes no ticket.
      if (mine !== turn.current) throw new Problem("offline");
      setNumbered(false);
      setScanning(true);
      return await getTicket(now.check);
    } catch (error) {
      const word = wordFor(error);
      if (!passes(word)) setProblem(word);
      // What may pass is left to the capture screen, which offers another try.
      throw word === "offline" ? new ConnectionFailedError(word) : Object.assign(new Problem(word), { retryAfterMs: POLL_MS });
    }
  };
  const handOver = async () => {
    setOpening(true);
    setTrouble("");
    try {
      await opened();
      setStarted(false);
      setHanding(true);
    } catch (error) {
      const word = wordFor(error);
      (passes(word) ? setTrouble : setProblem)(word);
    } finally {
      setOpening(false);
    }
  };
  const paused = () => {
    turn.current += 1;
    setNumbered(false);
    setScanning(false);
  };
  const returnUrl = view?.returnUrl ?? "";
  if (declined) return <Declined look={look} returnUrl={returnUrl} undo={() => setDeclined(false)} />;
  if (problem) return <Stop look={look} problem={problem} returnUrl={returnUrl} />;
  if (stage === "expired") return <Stop look={look} problem="expired" returnUrl={returnUrl} />;
  if (stage === "cancelled") return <Stop look={look} problem="closed" returnUrl={returnUrl} />;
  if (view !== undefined && stage === "done") return <End look={look} view={view} title />;
  if (view !== undefined && handing && !phone) {
    const here = cameras === 0 ? undefined : () => setHanding(false);
    return <HandingOver view={view} setView={setView} look={look} camera={cameras !== 0} {...(here ? { here } : {})} />;
  }
  // Nothing was scanned yet.
  const choices = ended === undefined && stage === "waiting" && (
    <Choices look={look} {...(started ? {} : { decline: () => setDeclined(true) })}>
      {cameras !== 0 && !phone && !onPhone() && (
        <button type="button" class="link" disabled={opening} onClick={() => void handOver()}>
          {t("usePhone")}
        </button>
      )}
    </Choices>
  );
  const failed = trouble && <p class="warn" role="alert">{problemText(trouble, look.name)}</p>;
  if (cameras === 0 && !phone) {
    return (
      <>
        <section class="card">
          <Purpose look={look} phone={false} />
          <p>{t("noCamera")}</p>
          <button type="button" class="primary" disabled={opening} onClick={() => void handOver()}>
            {t("agree")}
          </button>
          {failed}
        </section>
        {choices}
      </>
    );
  }
  const finished = (event: CustomEvent<ScanOutcome>) => {
    const { status } = event.detail;
    if (status === "retry") paused();
    else setEnded(status);
  };
  return (
    <>
      {started && <h1 class="spoken">{scanStrings().title}</h1>}
      {numbered && view?.number && !confirmed && <PhoneNumber number={view.number} cancel={() => element.current?.cancel()} />}
      <facegate-scan
        key="scan"
        ref={element}
        server={location.origin.replace(/^http/, "ws")}
        flash=""
        appVersion="hosted"
        getTicket={ticket}
        onfacegate-finished={finished}
        onfacegate-failed={paused}
      >
        {!started && (
          <div slot="purpose" class="purpose">
            <Purpose look={look} phone={phone} />
          </div>
        )}
        {!started && <span slot="agree">{t("agreeAndStart")}</span>}
      </facegate-scan>
      {failed}
      {view !== undefined && ended !== undefined && <End look={look} view={view} stays={ended === "failure"} />}
      {choices}
    </>
  );
}

/** Who wants to know, and what happens: the person agrees to it with the button of the card. */
function Purpose({ look, phone }: { look: Look; phone: boolean }) {
  const own = look.texts[language()];
  const consent = own?.consent ?? t("consent", { name: look.name });
  return (
    <>
      <Title>{phone ? t("phoneTitle") : (own?.title ?? scanStrings().title)}</Title>
      {phone && <p class="warn">{t("phoneWarning", { host: location.host })}</p>}
      {consent.split(/\n\s*\n/).map((paragraph) => (
        <p key={paragraph}>{paragraph}</p>
      ))}
    </>
  );
}

/** What the person may do in place of the scan. */
function Choices({ look, decline, children }: { look: Look; decline?: () => void; children: ComponentChildren }) {
  const { privacy } = look.links;
  return (
    <div class="choices">
      {children}
      {decline && (
        <button type="button" class="link" onClick={decline}>
          {t("decline")}
        </button>
      )}
      {decline && privacy && (
        <a href={privacy} target="_blank" rel="noreferrer">
          {t("privacy")}
        </a>
      )}
    </div>
  );
}

/** The person does not agree. The server hears nothing of it: nothing was begun. */
function Declined({ look, returnUrl, undo }: { look: Look; returnUrl: string; undo: () => void }) {
  return (
    <section class="card">
      <Title>{t("declinedTitle")}</Title>
      <p>{t("declinedText", { name: look.name })}</p>
      <div class="buttons">
        <Return look={look} url={returnUrl} />
        <button type="button" onClick={undo}>
          {t("undo")}
        </button>
      </div>
    </section>
  );
}

/** The number of a phone, over the capture screen, which goes on once it is confirmed on the other device. */
function PhoneNumber({ number, cancel }: { number: number; cancel: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    return () => dialog.current?.close();
  }, []);
  const leave = (event: Event) => {
    event.preventDefault();
    cancel();
  };
  return (
    <dialog class="card" ref={dialog} onCancel={leave} aria-labelledby="number-title">
      <h1 id="number-title" tabIndex={-1} autofocus>
        {t("numberTitle")}
      </h1>
      <p class="number">{number}</p>
      <p>{t("numberText")}</p>
      <button type="button" onClick={cancel}>
        {scanStrings().cancel}
      </button>
    </dialog>
  );
}

interface HandingOverProps {
  view: View;
  setView: (view: View) => void;
  look: Look;
  camera: boolean;
  /** Scans on this device in place of a phone. */
  here?: () => void;
}

function HandingOver({ view, setView, look, camera, here }: HandingOverProps) {
  const [picture, setPicture] = useState("");
  const [notice, setNotice] = useState<keyof Texts>();
  const [trouble, setTrouble] = useState("");
  const [working, setWorking] = useState(false);
  const { check, stage, handOver } = view;
  const attempt = async (work: () => Promise<void>) => {
    setWorking(true);
    setTrouble("");
    try {
      await work();
    } catch (error) {
      setTrouble(wordFor(error));
    } finally {
      setWorking(false);
    }
  };
  const renew = () =>
    attempt(async () => {
      setNotice(undefined);
      const { svg } = await showCode(check, language());
      setPicture(URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })));
      setView(await readState(check));
    });
  const settle = (number: number | null) =>
    attempt(async () => {
      setPicture("");
      try {
        setView(await answer(check, number));
      } catch (error) {
        if (!(error instanceof Problem) || error.message !== "wrong_number") throw error;
        setNotice("wrongNumber");
        setView(await readState(check));
      }
    });
  useEffect(() => {
    if (handOver === "none") void renew();
  }, []);
  useEffect(() => () => URL.revokeObjectURL(picture), [picture]);
  const problem = trouble && <p class="warn" role="alert">{problemText(trouble, look.name)}</p>;
  const reopened = view.codeReopened && <p class="warn" role="alert">{t("reopened")}</p>;
  const hereButton = here && (
    <button type="button" onClick={here}>
      {t("useThis")}
    </button>
  );
  if (handOver === "confirmed") {
    const text = stage === "scanning" ? "scanning" : stage === "interrupted" ? "interrupted" : "connected";
    return (
      <section class="card">
        <Title key="connected">{scanStrings().title}</Title>
        {reopened}
        <p class="busy" role="status">{t(text)}</p>
        {stage === "waiting" && (
          <div class="buttons">
            <button type="button" disabled={working} onClick={() => void renew()}>
              {t("newCode")}
            </button>
            {hereButton}
          </div>
        )}
        {problem}
      </section>
    );
  }
  if (handOver === "asking") {
    const confirm = (event: SubmitEvent) => {
      event.preventDefault();
      const typed = new FormData(event.currentTarget as HTMLFormElement).get("number");
      void settle(Number(western(String(typed))));
    };
    return (
      <section class="card">
        <Title key="ask">{t("askTitle")}</Title>
        {reopened}
        <p>{t("askText")}</p>
        <form onSubmit={confirm}>
          <label>
            {t("number")}
            <input name="number" inputMode="numeric" autocomplete="off" required maxLength={2} pattern="[0-9٠-٩०-९]{2}" dir="ltr" />
          </label>
          <div class="buttons">
            <button class="primary" disabled={working}>
              {t("confirm")}
            </button>
            <button type="button" disabled={working} onClick={() => void settle(null)}>
              {t("notMine")}
            </button>
          </div>
        </form>
        {problem}
      </section>
    );
  }
  const shown = handOver === "shown" && picture !== "";
  return (
    <section class="card">
      <Title key="code">{t("codeTitle")}</Title>
      {!camera && <p>{t("noCamera")}</p>}
      {notice && <p class="warn" role="alert">{t(notice)}</p>}
      {shown && (
        <>
          <p>{t("codeText")}</p>
          <img class="code" src={picture} alt={t("codePicture")} />
          <p class="busy" role="status">{t("waiting")}</p>
        </>
      )}
      {!shown && !working && !notice && <p role="status">{t("lapsed")}</p>}
      {problem}
      {(!shown || hereButton) && (
        <div class="buttons">
          {!shown && (
            <button type="button" class="primary" disabled={working} onClick={() => void renew()}>
              {t("newCode")}
            </button>
          )}
          {hereButton}
        </div>
      )}
    </section>
  );
}

interface EndProps {
  look: Look;
  view: View;
  title?: boolean;
  /** Whether the person has something to read, and returns when they wish. */
  stays?: boolean;
}

/** The end, and the way back. */
function End({ look, view, title = false, stays = false }: EndProps) {
  const own = look.texts[language()]?.end;
  useEffect(() => {
    if (!view.returnUrl || stays) return;
    const timer = setTimeout(() => location.assign(view.returnUrl), RETURN_MS);
    return () => clearTimeout(timer);
  }, [view.returnUrl, stays]);
  const text = view.phone ? t("donePhone") : view.returnUrl ? t("returning", { name: look.name }) : t("doneText");
  return (
    <section class="card">
      {title && <Title>{t("doneTitle")}</Title>}
      {own && <p>{own}</p>}
      {!(stays && view.returnUrl) && <p role="status">{text}</p>}
      <Return look={look} url={view.returnUrl} />
    </section>
  );
}

function Return({ look, url }: { look: { name: string }; url: string }) {
  if (!url) return null;
  return (
    <a class="button primary" href={url}>
      {t("returnNow", { name: look.name })}
    </a>
  );
}

interface StopProps {
  look: { name: string };
  problem: string;
  returnUrl?: string;
  retry?: () => void;
}

function Stop({ look, problem, returnUrl = "", retry }: StopProps) {
  return (
    <section class="card">
      <Title>{t("stopTitle")}</Title>
      <p role="alert">{problemText(problem, look.name)}</p>
      {retry && (
        <button type="button" class="primary" onClick={retry}>
          {t("again")}
        </button>
      )}
      <Return look={look} url={returnUrl} />
    </section>
  );
}

/** The heading of a step, which takes the focus. */
function Title({ children }: { children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <h1 tabIndex={-1} ref={heading}>
      {children}
    </h1>
  );
}

/** The word of a problem, whatever was thrown. */
function wordFor(error: unknown): string {
  return error instanceof Problem ? error.message : "offline";
}

function problemText(problem: string, name: string): string {
  const key = PROBLEMS[problem];
  if (key !== undefined) return t(key, { name });
  return problem === "offline" ? scanStrings().network : scanStrings().later;
}

/** Whether a problem may pass by itself. */
function passes(problem: string): boolean {
  return PROBLEMS[problem] === undefined;
}

/** Digits as the server reads them: people of some languages type others. */
function western(text: string): string {
  return text.replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660)).replace(/[०-९]/g, (digit) => String(digit.charCodeAt(0) - 0x966));
}

function onPhone(): boolean {
  return matchMedia("(pointer: coarse) and (max-width: 50rem)").matches;
}

async function countCameras(): Promise<number> {
  const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  return devices.filter(({ kind }) => kind === "videoinput").length;
}
