/** The frame of the console: session, navigation and the page that the address names. */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { CallError, logIn, logOut, readSession, setGuards } from "./api.js";
import { type Language, written } from "./logic/format.js";
import { addressOf, homeOf, linkIn, pagesOf, type Route, routeFrom } from "./logic/router.js";
import { AuditPage } from "./pages/audit.js";
import { CheckPage } from "./pages/check.js";
import { ChecksPage, forgetFilters } from "./pages/checks.js";
import { FiguresPage } from "./pages/figures.js";
import { HoldsPage } from "./pages/holds.js";
import { LoginPage } from "./pages/login.js";
import { ReviewPage } from "./pages/review.js";
import { SubjectPage } from "./pages/subject.js";
import { WhoPage } from "./pages/who.js";
import { type Console, ConsoleContext, setShortcuts, shortcutsOn } from "./parts/hooks.js";
import { announce, IdleNotice, onAnnouncement, returnAddress, samePerson, StepUpDialog } from "./parts/sessions.js";
import { Busy, Notice, Problem, Title } from "./parts/ui.js";
import { errorText } from "./texts/errors.js";
import { language, setLanguage, t } from "./texts/index.js";
import type { Session } from "./types.js";


type State = { is: "starting" } | { is: "failed"; error: unknown } | { is: "out"; notice: string } | { is: "in"; session: Session };

export function App({ link }: { link: string }) {
  const [state, setState] = useState<State>({ is: "starting" });
  const [tongue, setTongue] = useState<Language>(language());
  const [stepUp, setStepUp] = useState<((again: boolean) => void) | null>(null);
  const [activeAt, setActiveAt] = useState(() => Date.now());
  const own = useRef<Session | null>(null);
  own.current = state.is === "in" ? state.session : null;
  const enter = useCallback(async (notice = "", use = false): Promise<Session | null> => {
    const session = await readSession(use);
    setActiveAt(Date.now());
    if (use) announce("used");
    if (session === null) {
      forget();
      setState({ is: "out", notice });
    } else {
      setState({ is: "in", session });
    }
    return session;
  }, []);
  /** Reads the session after another tab changed it; what is shown stays only for the same person. */
  const changed = useCallback(async (): Promise<boolean> => {
    const before = own.current;
    try {
      const session = await readSession();
      if (session !== null && before !== null && samePerson(session, before)) {
        setState({ is: "in", session });
        return true;
      }
      if (before !== null) {
        clear();
        location.replace("#/");
      }
      setState(session === null ? { is: "out", notice: before === null ? "" : t("session.ended") } : { is: "in", session });
    } catch (error) {
      clear();
      setState({ is: "failed", error });
    }
    return false;
  }, []);
  const start = useCallback(async (secret: string) => {
    setState({ is: "starting" });
    try {
      let notice = "";
      if (secret !== "") {
        try {
          await logIn({ link: secret });
        } catch (error) {
          notice = error instanceof CallError && error.status === 401 ? t("login.link.used") : errorText(error);
        }
      }
      const session = await enter(notice);
      if (session !== null) announce(session);
    } catch (error) {
      setState({ is: "failed", error });
    }
  }, []);
  const clear = () => {
    forget();
    setStepUp(null);
  };
  const leave = useCallback((notice: string) => {
    clear();
    setState({ is: "out", notice });
  }, []);
  useEffect(() => {
    setGuards({
      loggedOut: () => leave(t("session.ended")),
      stepUp: () => new Promise((resolve) => setStepUp(() => resolve)),
      changed,
      active: () => {
        setActiveAt(Date.now());
        announce("used");
      },
    });
    const stopListening = onAnnouncement((person) => {
      setActiveAt(Date.now());
      if (person === "used") return;
      if (person === null) {
        if (own.current !== null) leave(t("session.elsewhere"));
        return;
      }
      // Another person's log-in: nothing of the first one stays while the session is read.
      if (own.current !== null && !samePerson(person, own.current)) {
        leave("");
        location.replace("#/");
      }
      void changed();
    });
    const back = returnAddress();
    if (back !== "") location.hash = back;
    void start(link);
    return stopListening;
  }, []);
  const changeLanguage = (next: Language) => {
    setLanguage(next, localStorage);
    document.documentElement.lang = next;
    setTongue(next);
  };
  const session = state.is === "in" ? state.session : null;
  return (
    <div class="frame" key={tongue}>
      <Header session={session} tongue={tongue} changeLanguage={changeLanguage} leave={leave} restart={() => void start("")} />
      <main id="main" tabIndex={-1}>
        {state.is === "starting" && <Busy />}
        {state.is === "failed" && <Problem error={state.error} retry={() => void start("")} />}
        {state.is === "out" && <LoginPage notice={state.notice} loggedIn={async () => announce(await enter())} />}
        {session !== null && <Pages session={session} />}
      </main>
      {session !== null && (
        <>
          <footer>
            <p>{t("footer", { version: session.version, tenant: session.tenant })}</p>
            <ShortcutSetting />
          </footer>
          {stepUp === null ? (
            <IdleNotice session={session} activeAt={activeAt} stay={() => void enter(t("session.ended"), true).catch((error: unknown) => leave(errorText(error)))} ended={() => leave(t("session.idle"))} />
          ) : (
            <StepUpDialog
              session={session}
              done={async (again) => {
                // The new session has another token against forged requests.
                if (again) announce(await enter());
                setStepUp(null);
                stepUp(again);
              }}
            />
          )}
        </>
      )}
    </div>
  );
}

/** Forgets what the pages remembered of the person who was logged in. */
function forget(): void {
  forgetFilters();
}

/** The page that the address names, and how many addresses were followed before: a link to the same page shows it anew. */
function useRoute(): Route & { visit: number } {
  const [route, setRoute] = useState(() => ({ ...routeFrom(location.hash), visit: 0 }));
  useEffect(() => {
    const changed = () => setRoute(({ visit }) => ({ ...routeFrom(location.hash), visit: visit + 1 }));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

function Pages({ session }: { session: Session }) {
  const route = useRoute();
  const { checkId, visit } = route;
  const page = route.page === "home" ? homeOf(session) : route.page;
  const own = useMemo<Console>(() => ({ session, can: (scope) => session.scopes.includes(scope) }), [session]);
  useEffect(() => {
    document.title = `${t(`page.${page}`)} – ${t("title")}`;
    scrollTo(0, 0);
  }, [page, checkId, visit]);
  const key = `${visit} ${page} ${checkId}`;
  return (
    <ConsoleContext.Provider value={own}>
      {page === "checks" && (checkId === "" ? <ChecksPage key={key} /> : <CheckPage key={key} checkId={checkId} />)}
      {page === "unknown" && <UnknownPage />}
      {page === "subject" && <SubjectPage key={key} />}
      {page === "holds" && <HoldsPage key={key} />}
      {page === "audit" && <AuditPage key={key} />}
      {page === "who" && <WhoPage key={key} checkId={checkId} />}
      {page === "figures" && <FiguresPage key={key} />}
      {page === "review" && <ReviewPage key={key} />}
    </ConsoleContext.Provider>
  );
}

function Header({ session, tongue, changeLanguage, leave, restart }: { session: Session | null; tongue: Language; changeLanguage: (language: Language) => void; leave: (notice: string) => void; restart: () => void }) {
  const route = useRoute();
  const menu = useRef<HTMLDetailsElement>(null);
  const pages = session === null ? [] : pagesOf(session);
  const current = session !== null && route.page === "home" ? homeOf(session) : route.page;
  useEffect(() => {
    if (menu.current !== null && matchMedia("(max-width: 60rem)").matches) menu.current.open = false;
  }, [route]);
  const end = async () => {
    let address: string | null = null;
    try {
      address = await logOut();
    } catch (error) {
      // The session may be another one, or live on: what the server says of it is shown.
      if (!(error instanceof CallError && error.status === 401)) return restart();
    }
    announce(null);
    leave(t("session.loggedOut"));
    if (address !== null && /^https?:/.test(address)) location.assign(address);
  };
  return (
    <header>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        {t("skip")}
      </a>
      <p class="brand">
        <img src={mark} alt="" width="28" height="28" />
        {t("title")}
      </p>
      {session?.sandbox && <p class="sandbox">{t("sandbox.session")}</p>}
      {session !== null && (
        <details ref={menu} class="menu" open={!matchMedia("(max-width: 60rem)").matches}>
          <summary>{t("menu")}</summary>
          <nav aria-label={t("menu")}>
            <ul class="plain">
              {pages.map((page) => (
                <li key={page}>
                  <a
                    href={addressOf(page)}
                    aria-current={current === page ? "page" : undefined}
                    onClick={() => location.hash === addressOf(page) && dispatchEvent(new Event("hashchange"))}
                  >
                    {t(`page.${page}`)}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
          <div class="account">
            <p>
              <strong>{written(session.name)}</strong>
              <span class="soft">{written(session.roles.join(", "))}</span>
            </p>
            <button type="button" onClick={() => void end()}>
              {t("logout")}
            </button>
          </div>
        </details>
      )}
      <div class="languages" role="group" aria-label={t("language")}>
        {(["en", "de"] as const).map((one) => (
          <button key={one} type="button" class="quiet" lang={one} aria-pressed={tongue === one} onClick={() => changeLanguage(one)}>
            {one === "en" ? "English" : "Deutsch"}
          </button>
        ))}
      </div>
    </header>
  );
}

/** An address that names no page, such as one that was cut off. */
function UnknownPage() {
  return (
    <>
      <Title>{t("page.unknown")}</Title>
      <Notice tone="warn">{t("unknown.means")}</Notice>
    </>
  );
}

function ShortcutSetting() {
  const [on, setOn] = useState(shortcutsOn);
  return (
    <label class="tick">
      <input
        type="checkbox"
        checked={on}
        onChange={(event) => {
          setShortcuts(event.currentTarget.checked);
          setOn(event.currentTarget.checked);
        }}
      />
      {t("shortcuts")}
    </label>
  );
}

/** Reads the one-time secret of the address, and removes it from there at once. */
export function takeLink(): string {
  const secret = linkIn(location.hash);
  if (secret !== "") history.replaceState(null, "", "/");
  return secret;
}

const mark = new URL("../../public/mark.svg", import.meta.url).href;
