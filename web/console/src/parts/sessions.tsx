/** The dialogs about the session: a fresh log-in for exports and erasures, and the end of an idle one. */
import { useEffect, useState } from "preact/hooks";
import { logIn } from "../api.js";
import { t, tn } from "../texts/index.js";
import type { Session } from "../types.js";
import { useTask } from "./hooks.js";
import { SecretField } from "./secret.js";
import { Dialog, Form, Problem } from "./ui.js";

/** Where a person goes on after a log-in at the issuer: the fragment of the page, which names no person. */
const RETURN = "facegate-console.return";

export function returnAddress(): string {
  const address = sessionStorage.getItem(RETURN) ?? "";
  sessionStorage.removeItem(RETURN);
  return address;
}

/** The person of a session, as the tabs of a browser tell each other. */
type Person = Pick<Session, "name" | "tenant" | "login">;

export function samePerson(one: Person, other: Person): boolean {
  return one.name === other.name && one.tenant === other.tenant && one.login === other.login;
}

const CHANNEL = "facegate-console";
/** What the tabs tell each other: who is logged in now, `null` for nobody, or that the session was used. */
type Announcement = Person | null | "used";
let channel: BroadcastChannel | null = null;

export function announce(news: Announcement): void {
  channel?.postMessage(news === null || news === "used" ? news : { name: news.name, tenant: news.tenant, login: news.login });
}

/** Hears what other tabs announce; returns how to stop. */
export function onAnnouncement(heard: (news: Announcement) => void): () => void {
  const own = new BroadcastChannel(CHANNEL);
  own.onmessage = (event: MessageEvent<Announcement>) => heard(event.data);
  channel = own;
  return () => own.close();
}

export function StepUpDialog({ session, done }: { session: Session; done: (again: boolean) => void }) {
  const [key, setKey] = useState("");
  const task = useTask(async () => {
    await logIn({ api_key: key.trim() });
    done(true);
  });
  return (
    <Dialog title={t("stepUp.title")} close={() => done(false)}>
      <p>{t("stepUp.why", { minutes: Math.max(1, Math.round(session.step_up_seconds / 60)) })}</p>
      {session.login === "oidc" ? (
        <>
          <p>{t("stepUp.oidc")}</p>
          <div class="actions">
            <a class="button primary" href="/login/oidc?step_up=1" onClick={() => sessionStorage.setItem(RETURN, location.hash)}>
              {t("stepUp.oidc.do")}
            </a>
            <button type="button" onClick={() => done(false)}>
              {t("cancel")}
            </button>
          </div>
        </>
      ) : (
        <Form submit={() => void task.run()}>
          <SecretField value={key} change={setKey} />
          <Problem error={task.error} />
          <div class="actions">
            <button type="submit" class="primary" disabled={task.busy}>
              {t("stepUp.do")}
            </button>
            <button type="button" onClick={() => done(false)}>
              {t("cancel")}
            </button>
          </div>
        </Form>
      )}
    </Dialog>
  );
}

/** Warns some time before a session ends, because nobody used it or because its time is over. */
export function IdleNotice({ session, activeAt, stay, ended }: { session: Session; activeAt: number; stay: () => void; ended: () => void }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const idleEnd = activeAt + session.idle_seconds * 1000;
  const end = Math.min(idleEnd, Date.parse(session.expires_at));
  const left = Math.ceil((end - now) / 1000);
  const over = left <= 0;
  useEffect(() => {
    if (over) ended();
  }, [over]);
  if (over || left > Math.min(60, session.idle_seconds / 4)) return null;
  const idle = end === idleEnd;
  return (
    <Dialog title={t("idle.title")} close={stay}>
      <p>{tn(idle ? "idle.left" : "idle.expires", left)}</p>
      <div class="actions">
        {idle && (
          <button type="button" class="primary" onClick={stay}>
            {t("idle.stay")}
          </button>
        )}
      </div>
    </Dialog>
  );
}
