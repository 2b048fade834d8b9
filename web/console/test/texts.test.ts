import { beforeEach, describe, expect, it } from "vitest";
import { FAILURES, REFUSALS, VERDICTS } from "../src/generated/texts.js";
import { PAGES } from "../src/logic/router.js";
import { OUTCOMES, REVIEW_REASONS } from "../src/logic/queue.js";
import { ACTIONS } from "../src/logic/actions.js";
import { de, failures, verdicts } from "../src/texts/de.js";
import { en } from "../src/texts/en.js";
import { chosenLanguage, explanations, failure, hint, isKey, setLanguage, signalName, t, tn, word } from "../src/texts/index.js";
import { detailName, detailValue } from "../src/texts/details.js";
import { errorText } from "../src/texts/errors.js";
import { CallError } from "../src/api.js";
import { memory } from "./memory.js";

const values = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

beforeEach(() => setLanguage("en"));

describe("the texts", () => {
  it("have the same keys and the same values in both languages", () => {
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(en)) expect([key, values(de[key as keyof typeof en])]).toEqual([key, values(text)]);
  });

  it("name every reason of a check in German", () => {
    expect(Object.keys(failures).sort()).toEqual(Object.keys(FAILURES).sort());
  });

  it("have a sentence for every refusal of compliance, every page, action, outcome and reason of a review", () => {
    for (const name of Object.keys(REFUSALS)) expect([name, isKey(`error.${name}`)]).toEqual([name, true]);
    for (const page of PAGES) expect(isKey(`page.${page}`)).toBe(true);
    for (const action of ACTIONS) expect([action, isKey(`action.${action}`)]).toEqual([action, true]);
    for (const outcome of OUTCOMES) expect(isKey(`outcome.${outcome}`)).toBe(true);
    for (const reason of REVIEW_REASONS) expect(isKey(`review.reason.${reason}`)).toBe(true);
  });

  it("follow the chosen language, then the browser", () => {
    const storage = memory();
    expect(chosenLanguage(storage, ["fr", "de-AT"])).toBe("de");
    expect(chosenLanguage(storage, ["fr"])).toBe("en");
    setLanguage("en", storage);
    expect(chosenLanguage(storage, ["de"])).toBe("en");
  });

  it("fill in values and count", () => {
    setLanguage("de");
    expect(t("images.shownFor", { purpose: "Fall {x}" })).toContain("Fall {x}");
    expect(tn("checks.count", 1)).toBe("1 Prüfung");
    expect(tn("checks.count", 1200)).toBe("1.200 Prüfungen");
    expect(failure("SPOOF").means).toBe("Der Scan ist ein Angriff, keine lebendige Person.");
    expect(hint("TOO_DARK")).toContain("helleren");
    setLanguage("en");
    expect(failure("SPOOF").means).toBe(FAILURES.SPOOF.means);
  });

  it("name the details of an entry as the pages do", () => {
    expect([detailName("by"), detailValue("checks.listed", "by", "subject_reference, consent_reference")]).toEqual(["Searched by", "subject reference; consent reference"]);
    expect(detailValue("review.opened", "causes", "INCONCLUSIVE,SAMPLE")).toBe("Whether the person was live could not be decided; It is in the sample");
    expect(detailValue("review.decided", "reason", "SAME_PERSON")).toBe(en["review.reason.SAME_PERSON"]);
    expect(detailValue("hold.placed", "reason", "court order")).toBe("court order");
    expect(detailValue("evidence.image_read", "sha256", "0123456789abcdef")).toBe("0123456789ab…");
    expect([detailName("new_fact"), detailValue("x", "new_fact", "1")]).toEqual(["New fact", "1"]);
  });

  it("say the reasons of a verdict and the names of signals in German", () => {
    setLanguage("de");
    expect(Object.keys(verdicts).sort()).toEqual(Object.keys(VERDICTS).sort());
    const stated = ["one", "two", "three"];
    const doubted = { liveness: { reasons: ["TOO_SHORT", "BRAND_NEW"] }, doubts: ["NOT_SURE"] };
    const earlier = t("verdict.earlier", { reason: verdicts.NOT_SURE });
    expect(explanations({ verdict: "LIVENESS_VERDICT_INCONCLUSIVE", explanations: stated }, doubted)).toEqual([verdicts.TOO_SHORT, "two", earlier]);
    const live = { verdict: "LIVENESS_VERDICT_LIVE", explanations: ["one", "two"] };
    expect(explanations(live, { liveness: { reasons: ["LOOKS_ALIVE"] } })).toEqual([verdicts.LOOKS_ALIVE, t("verdict.unattested")]);
    expect(explanations(live, undefined)).toEqual(["one", "two"]);
    expect([signalName("blink", "Blinks"), signalName("new", "New one")]).toEqual(["Blinzelt", "New one"]);
    setLanguage("en");
    expect([explanations({ explanations: stated }, doubted), signalName("blink", "Blinks")]).toEqual([stated, "Blinks"]);
  });

  it("show values of a newer server as they are", () => {
    expect(word("status", "POSTPONED")).toBe("POSTPONED");
    expect(failure("NEW_REASON").means).toBe("NEW_REASON");
    expect(hint("NEW_HINT")).toBe("NEW_HINT");
  });

  it("say what to do about an error", () => {
    expect(errorText(new CallError(400, "EVIDENCE_ON_HOLD", {}, ""))).toBe(en["error.EVIDENCE_ON_HOLD"]);
    expect(errorText(new CallError(400, "INVALID_FIELD", { field: "check_id" }, "it is no UUID"))).toContain("“Identifier of the check”");
    expect(errorText(new CallError(400, "INVALID_FIELD", { field: "comment", problem: "NOT_PRINTABLE" }, ""))).toContain("“Comment” has characters that cannot be seen");
    expect(errorText(new CallError(400, "INVALID_FIELD", { field: "page_size" }, "page_size is 0"))).toContain("page_size is 0");
    expect(errorText(new CallError(400, "BRAND_NEW", {}, "no such thing"))).toContain("no such thing");
    expect(errorText(new CallError(0, "", {}, ""))).toBe(en["error.unreachable"]);
    expect(errorText(new TypeError("x"))).toBe(en["error.unexpected"]);
    setLanguage("de");
    expect(errorText(new CallError(400, "INVALID_FIELD", { field: "comment", bytes: "1030", maxBytes: "1024" }, "comment has 1030 bytes"))).toMatch(/^„Bemerkung“ ist zu lang: 1030 Bytes/);
  });
});
