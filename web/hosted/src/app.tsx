/** The page: consent, the scan here or on a phone, the end. */
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ScanOutcome, ScanStatus } from "../../sdk/src/index.js";
import { answer, getTicket, type Look, open, Problem, readLook, readState, showCode, type View } from "./api.js";
import { type Arrival, writeArrival } from "./arrival.js";
import { language, scanStrings, setLanguage, t, TEXTS, type Texts } from "./texts.js";

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
function Steps({ arrival, look }: { arrival: Arrival; look: Look }) {
  const [view, setView] = useState<View>();
  const [problem, setProblem] = useState("");
  const [working, setWorking] = useState(arrival.check !== null);
  const failed = useCallback((error: unknown) => setProblem(error instanceof Problem ? error.message : "offline"), []);
  const load = (reading: Promise<View>) => {
    setWorking(true);
    setProblem("");
    reading
      .then((read) => {
        writeArrival(read.check, language());
        setView(read);
      })
      .catch(failed)
      .finally(() => setWorking(false));
  };
  const begin = () => {
    if (arrival.check !== null) load(readState(arrival.check));
    else if (arrival.secret !== null) load(open(arrival.secret));
  };
  useEffect(() => {
    if (arrival.check !== null) begin();
  }, []);
  if (problem) return <Stop look={look} problem={problem} {...(passes(problem) ? { retry: begin } : {})} />;
  // Nobody scanned on this page: to say that the scan is complete would puzzle who has just arrived.
  if (view?.stage === "done" && arrival.check === null) return <Stop look={look} problem="closed" returnUrl={view.returnUrl} />;
  if (view !== undefined) return <Opened first={view} look={look} />;
  if (arrival.check === null && arrival.secret === null) return <Stop look={look} problem="unknown" />;
  if (arrival.check !== null) return null;
  const phone = arrival.secret !== null && "code" in arrival.secret;
  const own = look.texts[language()];
  const consent = own?.consent ?? t("consent", { name: look.name });
  return (
    <section class="card">
      <Title>{phone ? t("phoneTitle") : (own?.title ?? scanStrings().title)}</Title>
      {phone && <p class="warn">{t("phoneWarning", { host: location.host })}</p>}
      {consent.split(/\n\s*\n/).map((paragraph) => (
        <p key={paragraph}>{paragraph}</p>
      ))}
      <button type="button" class="primary" disabled={working} onClick={begin}>
        {t("agree")}
      </button>
    </section>
  );
}

/** The scan of a check that this browser has opened. */
function Opened({ first, look }: { first: View; look: Look }) {
  const [view, setView] = useState(first);
  const [problem, setProblem] = useState("");
  const [ended, setEnded] = useState<ScanStatus>();
  const [handing, setHanding] = useState(first.handOver !== "none");
  const [cameras, setCameras] = useState<number>();
  const [scanning, setScanning] = useState(false);
  const { check, phone, stage, handOver } = view;
  const over = stage === "done" || stage === "expired" || stage === "cancelled";
  // While the capture screen scans, it hears of the end itself, and shows more of it.
  const watches = !over && ended === undefined && problem === "" && !scanning;
  useEffect(() => {
    void countCameras().then((count) => {
      setCameras(count);
      if (count === 0 && !phone) setHanding(true);
    });
  }, []);
  useEffect(() => {
    if (!watches) return;
    let left = false;
    const read = async () => {
      if (document.visibilityState === "hidden") return;
      try {
        const now = await readState(check);
        if (!left) setView(now);
      } catch (error) {
        const word = error instanceof Problem ? error.message : "offline";
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
  }, [watches, check, phone]);
  if (problem) return <Stop look={look} problem={problem} returnUrl={view.returnUrl} />;
  if (stage === "expired") return <Stop look={look} problem="expired" returnUrl={view.returnUrl} />;
  if (stage === "cancelled") return <Stop look={look} problem="closed" returnUrl={view.returnUrl} />;
  if (stage === "done") return <End look={look} view={view} title />;
  if (phone && handOver !== "confirmed") {
    return (
      <section class="card">
        <Title>{t("numberTitle")}</Title>
        <p class="number">{view.number}</p>
        <p>{t("numberText")}</p>
      </section>
    );
  }
  if (handing && !phone) {
    const here = cameras === 0 ? undefined : () => setHanding(false);
    return <HandingOver view={view} setView={setView} look={look} camera={cameras !== 0} {...(here ? { here } : {})} />;
  }
  return (
    <>
      <Title hidden>{scanStrings().title}</Title>
      <Scan check={check} started={() => setScanning(true)} ended={setEnded} paused={() => setScanning(false)} stopped={setProblem} />
      {ended !== undefined && <End look={look} view={view} stays={ended === "failure"} />}
      {ended === undefined && !phone && !onPhone() && stage === "waiting" && (
        <div class="buttons">
          <button type="button" onClick={() => setHanding(true)}>
            {t("usePhone")}
          </button>
        </div>
      )}
    </>
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
      setTrouble(error instanceof Problem ? error.message : "offline");
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

interface ScanProps {
  check: string;
  started: () => void;
  ended: (status: ScanStatus) => void;
  /** The person may start again. */
  paused: () => void;
  stopped: (problem: string) => void;
}

/** The capture screen of the SDK. */
function Scan({ check, started, ended, paused, stopped }: ScanProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = document.createElement("facegate-scan");
    element.setAttribute("server", location.origin.replace(/^http/, "ws"));
    element.setAttribute("flash", "");
    element.appVersion = "hosted";
    element.getTicket = () => {
      started();
      return getTicket(check).catch((error: unknown) => {
        // What may pass is left to the capture screen, which offers another try.
        if (error instanceof Problem && !passes(error.message)) stopped(error.message);
        throw error;
      });
    };
    element.addEventListener("facegate-finished", (event) => {
      const { status } = (event as CustomEvent<ScanOutcome>).detail;
      if (status === "retry") paused();
      else ended(status);
    });
    element.addEventListener("facegate-failed", paused);
    place.current?.append(element);
    return () => element.remove();
  }, [check]);
  return <div ref={place} />;
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

/** The heading of a step, which takes the focus. The capture screen has its own, so that of its step is only spoken. */
function Title({ children, hidden = false }: { children: ComponentChildren; hidden?: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <h1 tabIndex={-1} ref={heading} class={hidden ? "spoken" : ""}>
      {children}
    </h1>
  );
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
