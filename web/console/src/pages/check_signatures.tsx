/** The signatures of a check, verified in this browser. */
import { useEffect, useState } from "preact/hooks";
import { save, saveJson, serverKeys } from "../api.js";
import { type Keys, NotVerified, readKeys, type SignatureProblem, verifyRecord, verifyResult, verifyReview } from "../logic/signatures.js";
import { useConsole, useTask } from "../parts/hooks.js";
import { Busy, Problem, Section, Tag } from "../parts/ui.js";
import { t, word } from "../texts/index.js";
import type { Evidence } from "../types.js";

interface Finding {
  name: "result" | "record" | "review";
  problem: SignatureProblem | null;
  signedBy: string;
}

const LARGEST_FILE = 1024 * 1024;

export function SignaturesPart({ evidence, checkId, reviewJws }: { evidence: Evidence; checkId: string; reviewJws: string }) {
  const { session } = useConsole();
  const [file, setFile] = useState<File | null>(null);
  const [findings, setFindings] = useState<Finding[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const saving = useTask(async () => saveJson(await serverKeys(), "result-keys.json"));
  useEffect(() => {
    let stale = false;
    const verify = async () => {
      const keys = await keysOf(file);
      const of = { checkId, tenant: session.tenant };
      return Promise.all([
        found("result", () => verifyResult(evidence, keys, of)),
        found("record", () => verifyRecord(evidence, keys, of)),
        ...(reviewJws === "" ? [] : [found("review", () => verifyReview(reviewJws, evidence, keys, of))]),
      ]);
    };
    setFindings(null);
    setError(null);
    verify().then(
      (value) => stale || setFindings(value),
      (problem: unknown) => stale || setError(problem),
    );
    return () => {
      stale = true;
    };
  }, [evidence, file, reviewJws]);
  return (
    <Section title={t("signatures")}>
      <p>{t(error !== null ? "signatures.refused" : file === null ? "signatures.serverKeys" : "signatures.ownKeys", { name: file?.name ?? "" })}</p>
      {findings === null && error === null && <Busy text={t("signatures.verifying")} />}
      {error instanceof NotVerified ? (
        <p role="alert">
          <Tag tone="bad">{t("signatures.not")}</Tag> {word("signature", error.problem)}
        </p>
      ) : (
        <Problem error={error} />
      )}
      {findings !== null && (
        <ul class="plain findings" aria-live="polite">
          {findings.map(({ name, problem, signedBy }) => (
            <li key={name}>
              <Tag tone={problem === null ? "good" : "bad"}>{t(problem === null ? "signatures.verified" : "signatures.not")}</Tag> {t(`signatures.${name}`)}{" "}
              {problem === null ? <code>{t("signatures.key", { kid: signedBy })}</code> : word("signature", problem)}
            </li>
          ))}
        </ul>
      )}
      <div class="actions">
        <label class="button file">
          {t("signatures.choose")}
          <input type="file" accept=".json,.jwks,application/json,application/jwk-set+json" onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)} />
        </label>
        {file !== null && (
          <button type="button" onClick={() => setFile(null)}>
            {t("signatures.useServer")}
          </button>
        )}
        <button type="button" disabled={saving.busy} onClick={() => void saving.run()}>
          {t("signatures.saveKeys")}
        </button>
        {evidence.resultJws && (
          <button type="button" onClick={() => save(new Blob([`${evidence.resultJws}\n`], { type: "application/jose" }), `${checkId}.jws`)}>
            {t("signatures.save")}
          </button>
        )}
      </div>
      <Problem error={saving.error} />
      <p class="help">{t("signatures.help")}</p>
    </Section>
  );
}

async function keysOf(file: File | null): Promise<Keys> {
  if (file === null) return readKeys(await serverKeys());
  if (file.size > LARGEST_FILE) throw new NotVerified("KEYS_UNREADABLE");
  let content: unknown;
  try {
    content = JSON.parse(await file.text());
  } catch {
    throw new NotVerified("KEYS_UNREADABLE");
  }
  return readKeys(content);
}

async function found(name: Finding["name"], verify: () => Promise<{ header: Readonly<Record<string, unknown>> }>): Promise<Finding> {
  try {
    const { header } = await verify();
    return { name, problem: null, signedBy: String(header["kid"]).slice(0, 12) };
  } catch (error) {
    if (error instanceof NotVerified) return { name, problem: error.problem, signedBy: "" };
    throw error;
  }
}
