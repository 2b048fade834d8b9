import { describe, expect, it } from "vitest";
import { toConfirm, waiting } from "../src/logic/approvals.js";
import { checksOf, inParts, interval, passRate, reviewedOf, summed, timesOf } from "../src/logic/figures.js";
import { impersonal, listRequest, NO_FILTERS, removeView, reversed, savedViews, saveView } from "../src/logic/filters.js";
import { asWords, bare, byteLength, dayBefore, dayText, degreesOf, hexOf, knownOnly, oneIn, othersInWords, percentText, startOfDay, timeText, wholePercents, written } from "../src/logic/format.js";
import { after, agrees, EMPTY, isClaimedBy, lacks, NO_DRAFT } from "../src/logic/queue.js";
import { livenessLines, outcomeOf, parseRecord } from "../src/logic/record.js";
import { addressOf, homeOf, linkIn, pagesOf, routeFrom } from "../src/logic/router.js";
import { samePerson } from "../src/parts/sessions.js";
import { t } from "../src/texts/index.js";
import type { AuditEvent, Review } from "../src/types.js";
import { memory } from "./memory.js";

describe("formatting", () => {
  it("writes times in UTC, and dashes for none", () => {
    expect(timeText("2027-03-01T12:30:05.25Z", "en")).toBe("1 Mar 2027, 12:30:05 UTC");
    expect(timeText("2027-03-01T12:30:05.25Z", "de")).toBe("01.03.2027, 12:30:05 UTC");
    expect(timeText(undefined, "en")).toBe("–");
    expect(timeText("soon", "en")).toBe("–");
  });

  it("says what a similarity means with the bound of scans", () => {
    expect(othersInWords(1e-5)).toEqual({ kind: "bound", people: 100_000 });
    expect(othersInWords(1e-4)).toEqual({ kind: "bound", people: 10_000 });
    expect(othersInWords(0.0003)).toEqual({ kind: "bound", people: 3333 });
    expect(othersInWords(0.6)).toEqual({ kind: "reached" });
    expect(othersInWords(undefined)).toEqual({ kind: "unmeasured" });
    expect(oneIn(1)).toBe(1);
  });

  it("reads the lines of liveness from a record", () => {
    const lines = (policy: object) => livenessLines(outcomeOf(btoa(JSON.stringify({ record: { outcome: { liveness: { policy } } } }))));
    expect(lines({ live_threshold: 80, spoof_threshold: 30 })).toEqual({ live: 80, spoof: 30 });
    expect(lines({})).toBeNull();
    expect([outcomeOf(btoa("{")), outcomeOf(undefined), livenessLines(undefined)]).toEqual([undefined, undefined, null]);
  });

  it("refuses what is no record", () => {
    const parse = (text: string) => parseRecord(new TextEncoder().encode(text));
    expect(parse('{"record":{"tenant":"bank"}}')).toEqual({ tenant: "bank" });
    expect(() => parse('{"record":1}')).toThrow(TypeError);
    expect(() => parse('{"record":{"a":Infinity}}')).toThrow(SyntaxError);
  });

  it("formats small values", () => {
    expect(bare("CHECK_STATUS_SUCCESS", "CHECK_STATUS_")).toBe("SUCCESS");
    expect(bare(undefined, "CHECK_STATUS_")).toBe("UNSPECIFIED");
    expect(asWords("hold.placed")).toBe("Hold placed");
    expect(hexOf("AP8Q")).toBe("00ff10");
    expect(degreesOf("ROTATION_270")).toBe(270);
    expect(degreesOf(undefined)).toBe(0);
    expect(byteLength("é")).toBe(2);
    expect(percentText(0.1234, "de")).toBe("12,3\u00a0%");
    expect(wholePercents([0.437, 0.357, 0.206])).toEqual([44, 36, 20]);
    expect(wholePercents([1 / 3, 1 / 3, 1 / 3])).toEqual([34, 33, 33]);
    expect(wholePercents([])).toEqual([]);
    expect(dayText("2027-02-28", "de")).toBe("28.02.2027");
    expect(dayText("2027-02-28", "en")).toBe("28 Feb 2027");
    expect(startOfDay("2027-02-28", 1)).toBe("2027-03-01T00:00:00.000Z");
    expect(startOfDay("")).toBeUndefined();
    expect(startOfDay("2027-13-40")).toBeUndefined();
    expect(dayBefore(Date.parse("2027-03-01T01:00:00Z"), 1)).toBe("2027-02-28");
  });
});

describe("filters and saved views", () => {
  const filters = { ...NO_FILTERS, subject: "anna-1", consent: "c-1", status: "FAILURE", until: "2027-03-01", sandbox: "no" as const };

  it("become a request without empty fields, with the last day in it", () => {
    expect(listRequest(NO_FILTERS)).toEqual({ pageSize: 50 });
    expect(listRequest(filters, "next")).toEqual({
      decidedBefore: "2027-03-02T00:00:00.000Z",
      subjectReference: "anna-1",
      consentReference: "c-1",
      status: "CHECK_STATUS_FAILURE",
      sandbox: false,
      pageSize: 50,
      pageToken: "next",
    });
  });

  it("cannot match from a day that is later than the last", () => {
    expect(reversed({ since: "2027-03-02", until: "2027-03-01" })).toBe(true);
    expect(reversed({ since: "2027-03-01", until: "2027-03-01" })).toBe(false);
    expect(reversed({ since: "2027-03-02", until: "" })).toBe(false);
  });

  it("are saved without references to a person", () => {
    const storage = memory();
    saveView(storage, "failed", filters);
    expect(storage.getItem("facegate-console.views")).not.toContain("anna-1");
    expect(savedViews(storage)).toEqual([{ name: "failed", filters: impersonal(filters) }]);
    saveView(storage, "failed", { ...filters, status: "SUCCESS" });
    expect(savedViews(storage).map((view) => view.filters.status)).toEqual(["SUCCESS"]);
    expect(removeView(storage, "failed")).toEqual([]);
  });

  it.each(["{", "{}", '[{"name": 1, "filters": {}}]', '[{"name": "a", "filters": {"subject": 1}}]', '[{"name": "a", "filters": {"__proto__x": ""}}]', "[null]"])("ignore a store that others wrote: %s", (text) => {
    const storage = memory();
    storage.setItem("facegate-console.views", text);
    expect(savedViews(storage)).toEqual([]);
  });
});

describe("figures", () => {
  it("are read in parts of whole days if a time has too many checks", async () => {
    const asked: string[] = [];
    const read = async (since: string, before: string) => {
      if (Date.parse(before) - Date.parse(since) > 86_400_000) throw new RangeError();
      asked.push(`${since} ${before}`);
      return [{ day: since.slice(0, 10) }];
    };
    const found = await inParts("2026-05-04T00:00:00.000Z", "2026-05-07T00:00:00.000Z", read, (error) => error instanceof RangeError);
    expect(found.map(({ day }) => day)).toEqual(["2026-05-04", "2026-05-05", "2026-05-06"]);
    expect(asked[1]).toBe("2026-05-05T00:00:00.000Z 2026-05-06T00:00:00.000Z");
    await expect(inParts("2026-05-04T00:00:00.000Z", "2026-05-05T00:00:00.000Z", () => Promise.reject(new RangeError()), () => true)).rejects.toBeInstanceOf(RangeError);
  });

  const found = [
    { day: "2027-02-28", policy: "high", successes: 3, failures: 1, reasons: [{ reason: "FAILURE_REASON_SPOOF", checks: 1 }], secondsToVerdictMedian: 20, secondsToVerdictP90: 40 },
    { day: "2027-03-02", policy: "high", successes: 2 },
    { day: "2027-02-28", policy: "standard", failures: 2, undecided: 1, reasons: [{ reason: "FAILURE_REASON_CONDITIONS", checks: 2 }] },
  ];

  it("are summed by day, without gaps", () => {
    const { days, total, reasons, policies } = summed(found);
    expect(days.map((day) => [day.day, checksOf(day)])).toEqual([
      ["2027-02-28", 7],
      ["2027-03-01", 0],
      ["2027-03-02", 2],
    ]);
    expect([checksOf(total), passRate(total)]).toEqual([9, 5 / 8]);
    expect(reasons).toEqual([
      ["FAILURE_REASON_CONDITIONS", 2],
      ["FAILURE_REASON_SPOOF", 1],
    ]);
    expect(policies).toEqual(["high", "standard"]);
    expect(passRate(days[1]!)).toBeNull();
    expect(timesOf(found, days, "high")).toEqual({ median: [20, null, 0], p90: [40, null, 0] });
    expect(summed([]).days).toEqual([]);
  });

  it("compare the machine with reviewers, the sample apart", () => {
    const review = (status: string, outcome: string, checks: number, sampled?: number) => ({ status: `CHECK_STATUS_${status}`, outcome: `REVIEW_OUTCOME_${outcome}`, checks, ...(sampled && { sampled }) });
    const { rows, open, expired } = reviewedOf([
      { day: "2027-02-28", reviews: [review("SUCCESS", "ALLOW", 30, 20), review("SUCCESS", "DENY", 5, 1), review("FAILURE", "ALLOW", 2)], reviewsOpen: 3 },
      { day: "2027-03-01", reviews: [review("SUCCESS", "DENY", 1, 1), review("SUCCESS", "ESCALATE", 2), review("FAILURE", "DENY", 6), review("FAILURE", "ASK_AGAIN", 1)], reviewsOpen: 1, reviewsExpired: 2 },
      { day: "2027-03-02" },
    ]);
    expect(rows).toEqual([
      { status: "SUCCESS", sampled: true, decided: 22, contradicted: 2, unclear: 0 },
      { status: "SUCCESS", sampled: false, decided: 38, contradicted: 6, unclear: 2 },
      { status: "FAILURE", sampled: false, decided: 9, contradicted: 2, unclear: 1 },
    ]);
    expect([open, expired]).toEqual([4, 2]);
  });

  it("state intervals of shares", () => {
    const rounded = (hits: number, of: number) => Object.values(interval(hits, of)!).map((value) => value.toFixed(4));
    expect(rounded(2, 22)).toEqual(["0.0253", "0.2781"]);
    expect(rounded(0, 10)).toEqual(["0.0000", "0.2775"]);
    expect(rounded(10, 10)).toEqual(["0.7225", "1.0000"]);
    expect(interval(0, 0)).toBeNull();
  });
});

describe("approvals", () => {
  const entry = (sequence: number, action: string, purpose: string, of = "hold.released"): AuditEvent => ({
    sequence: String(sequence),
    action,
    purpose,
    checkId: "c",
    actor: { name: action === "approval.given" ? "bert" : "anna" },
    detail: { of, requested_by: "anna" },
  });

  it("wait until a second person confirms them, for whatever purpose", () => {
    const events = [entry(12, "approval.given", "its own"), entry(3, "approval.requested", "closed"), entry(20, "approval.requested", "closed", "evidence.deleted")];
    expect(waiting(events).map(({ of, purpose, requestedBy }) => [of, purpose, requestedBy])).toEqual([["evidence.deleted", "closed", "anna"]]);
    expect(waiting([...events, entry(30, "approval.requested", "closed")])).toHaveLength(2);
  });

  it("end when they are withdrawn, each for its own hold", () => {
    const about = (sequence: number, action: string, reference: string) => {
      const event = entry(sequence, action, "");
      return { ...event, detail: { ...event.detail, reference } };
    };
    const asked = [about(1, "approval.requested", "one"), about(2, "approval.requested", "two")];
    expect(waiting([...asked, about(3, "approval.withdrawn", "one")]).map(({ reference }) => reference)).toEqual(["two"]);
  });

  it("end when the person is erased", () => {
    const asked = { ...entry(3, "approval.requested", "closed", "subject.erased"), checkId: "", pseudonym: "p" };
    const other = { ...asked, sequence: "4", pseudonym: "q" };
    const erased = { ...asked, sequence: "5", action: "subject.erased" };
    const { of } = waiting([asked])[0]!;
    expect(toConfirm(waiting([asked]), of, "bert")?.purpose).toBe("closed");
    expect(toConfirm(waiting([asked]), of, "anna")).toBeUndefined();
    expect(toConfirm(waiting([asked]), "hold.released", "bert")).toBeUndefined();
    expect(waiting([asked, other, erased]).map(({ pseudonym }) => pseudonym)).toEqual(["q"]);
  });
});

describe("the queue of reviews", () => {
  const reviews: Review[] = ["a", "b", "c"].map((checkId) => ({ checkId, state: "REVIEW_STATE_OPEN" }));
  const loaded = after(EMPTY, { type: "loaded", reviews });

  it("selects the first, moves within its ends, and drops what was entered", () => {
    expect(loaded.at).toBe(0);
    const drafted = after(loaded, { type: "drafted", draft: { outcome: "DENY" } });
    expect(after(drafted, { type: "moved", by: -1 })).toBe(drafted);
    const moved = after(drafted, { type: "moved", by: 5 });
    expect([moved.at, moved.draft]).toEqual([2, NO_DRAFT]);
    expect(after(EMPTY, { type: "moved", by: 1 }).at).toBe(-1);
  });

  it("goes on to the next after a decision, and counts", () => {
    const once = after(after(loaded, { type: "selected", at: 1 }), { type: "decided", review: reviews[1]! });
    expect([once.reviews[once.at]?.checkId, once.decided]).toEqual(["c", 1]);
    const twice = after(once, { type: "decided", review: reviews[2]! });
    expect(twice.reviews[twice.at]?.checkId).toBe("a");
    expect(after(twice, { type: "decided", review: reviews[0]! }).at).toBe(-1);
  });

  it("keeps selection and draft when it is loaded again", () => {
    const drafted = after(after(loaded, { type: "selected", at: 2 }), { type: "drafted", draft: { outcome: "ALLOW" } });
    const again = after(drafted, { type: "loaded", reviews: reviews.slice(1) });
    expect([again.reviews[again.at]?.checkId, again.draft.outcome]).toEqual(["c", "ALLOW"]);
    expect(after(drafted, { type: "loaded", reviews: [] }).at).toBe(-1);
  });

  it("offers no reason that contradicts the outcome, and drops it", () => {
    expect(agrees("ALLOW", "DIFFERENT_PERSON")).toBe(false);
    expect(agrees("ALLOW", "SAME_PERSON")).toBe(true);
    expect(agrees("DENY", "SAME_PERSON")).toBe(false);
    const allowed = after(loaded, { type: "drafted", draft: { outcome: "ALLOW", reason: "SAME_PERSON" } });
    expect(after(allowed, { type: "drafted", draft: { outcome: "ESCALATE" } }).draft.reason).toBe("SAME_PERSON");
    expect(after(allowed, { type: "drafted", draft: { outcome: "DENY" } }).draft.reason).toBe("");
  });

  it("knows whose claim holds, and what a decision lacks", () => {
    const review = { checkId: "a", claimedBy: "rita", claimExpireTime: "2027-03-01T12:00:00Z" };
    const noon = Date.parse("2027-03-01T12:00:00Z");
    expect(isClaimedBy(review, "rita", noon - 1)).toBe(true);
    expect(isClaimedBy(review, "rita", noon)).toBe(false);
    expect(isClaimedBy(review, "bert", noon - 1)).toBe(false);
    expect(lacks(NO_DRAFT, true)).toBe("outcome");
    expect(lacks({ outcome: "DENY", reason: "", comment: "" }, true)).toBe("reason");
    expect(lacks({ outcome: "DENY", reason: "OTHER", comment: " " }, true)).toBe("comment");
    expect(lacks({ outcome: "DENY", reason: "OTHER", comment: "see file" }, true)).toBeNull();
  });
});

describe("a decision without the images", () => {
  it("is neither to allow nor to deny", () => {
    const draft = { reason: "SAME_PERSON", comment: "" };
    expect(lacks({ ...draft, outcome: "ALLOW" }, false)).toBe("images");
    expect(lacks({ ...draft, outcome: "DENY" }, false)).toBe("images");
    expect(lacks({ ...draft, outcome: "ESCALATE" }, false)).toBeNull();
    expect(lacks({ ...draft, outcome: "ASK_AGAIN" }, false)).toBeNull();
    expect(lacks({ ...draft, outcome: "ALLOW" }, true)).toBeNull();
  });
});

describe("texts of people", () => {
  it("neither hide a character nor turn the text around them", () => {
    expect(written("evil\u202egnp.exe\u2066x\u0007")).toBe("evil⟨U+202E⟩gnp.exe⟨U+2066⟩x⟨U+0007⟩");
    expect(written("a\u200bb\ufeff\u{e0041}\u2028")).toBe("a⟨U+200B⟩b⟨U+FEFF⟩⟨U+E0041⟩⟨U+2028⟩");
    expect(written("\u05d0\u05d1\u200f")).toBe("\u2068\u05d0\u05d1⟨U+200F⟩\u2069");
    expect(written("Zoë 山田, \u0915\u094d\u200d\u0937")).toBe("Zoë 山田, \u0915\u094d\u200d\u0937");
    expect(t("who.ofSubject", { subject: "a\u202eb" })).toContain("a⟨U+202E⟩b");
  });

  it("leave out what the server does not know of a sign", () => {
    expect(knownOnly("Failed: a. Method unknown, instrument unknown.")).toBe("Failed: a.");
    expect(knownOnly("Failed: a. Method virtual_camera, instrument unknown.")).toBe("Failed: a. Method virtual_camera.");
    expect(knownOnly("Failed: a. Method unknown, instrument deepfake.")).toBe("Failed: a. Instrument deepfake.");
  });
});

describe("the pages of a person", () => {
  const scopes = { reviewer: ["evidence.read", "evidence.images", "reviews.read", "reviews.decide"], admin: ["evidence.read", "evidence.export", "evidence.erase", "audit.read", "reviews.read"] };

  it("are those that the scopes allow, and begin with the queue for a reviewer", () => {
    expect(pagesOf({ scopes: scopes.reviewer, reviews: true })).toEqual(["checks", "holds", "figures", "review"]);
    expect(pagesOf({ scopes: scopes.admin, reviews: false })).toEqual(["checks", "subject", "holds", "audit", "who", "figures"]);
    expect(homeOf({ scopes: scopes.reviewer, reviews: true })).toBe("review");
    expect(homeOf({ scopes: scopes.reviewer, reviews: false })).toBe("checks");
    expect(homeOf({ scopes: scopes.admin, reviews: true })).toBe("checks");
  });

  it("stay in another tab only for the same person", () => {
    const anna = { name: "anna", tenant: "bank", login: "api_key" } as const;
    expect(samePerson(anna, { ...anna })).toBe(true);
    expect(samePerson(anna, { ...anna, name: "bert" })).toBe(false);
    expect(samePerson(anna, { ...anna, tenant: "other" })).toBe(false);
  });
});

describe("addresses", () => {
  it("name a page and a check, and nothing else", () => {
    expect(routeFrom("")).toEqual({ page: "home", checkId: "" });
    expect(routeFrom("#/who/8f5b4f0e-6a3c-4f0e-9a39-0f6d2f6c7d11").checkId).toBe("8f5b4f0e-6a3c-4f0e-9a39-0f6d2f6c7d11");
    expect(routeFrom("#/checks/<script>")).toEqual({ page: "unknown", checkId: "" });
    expect(routeFrom("#/elsewhere")).toEqual({ page: "unknown", checkId: "" });
    expect(routeFrom(addressOf("audit"))).toEqual({ page: "audit", checkId: "" });
  });

  it("have a one-time secret only in their fragment", () => {
    expect(linkIn("#link=abc")).toBe("abc");
    expect(linkIn("#/checks")).toBe("");
  });
});
