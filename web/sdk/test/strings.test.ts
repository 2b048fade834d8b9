import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CODES, LANGUAGES, languageFor, type Strings } from "../src/element/strings.js";
import { FeedbackCode } from "../src/protocol/generated/facegate/v1/feedback_pb.js";

const names = Object.values(FeedbackCode).filter((name) => typeof name === "string");

describe("the strings", () => {
  it("has a text for every code of the protocol, and its own", () => {
    expect([...CODES].sort()).toEqual(names.sort());
  });

  it("has the English texts of the protocol", () => {
    const page = readFileSync(new URL("../../../docs/device_protocol.md", import.meta.url), "utf8");
    const section = page.split("## Feedback codes")[1]?.split("\n## ")[0] ?? "";
    const rows = [...section.matchAll(/^\| `([A-Z_]+)` \| (.+) \|$/gm)];
    expect(rows.length).toBe(names.length - 1);
    for (const [, code = "", text] of rows) expect(LANGUAGES.en?.hints[code]).toBe(text);
  });

  it.each(Object.keys(LANGUAGES))("leaves nothing out in %s, and repeats nothing of English", (name) => {
    const flat = ({ hints, ...texts }: Strings) => [...Object.values(texts), ...Object.values(hints)];
    const texts = flat(LANGUAGES[name] as Strings);
    const english = flat(LANGUAGES.en as Strings);
    expect(texts.filter((text) => text === "")).toEqual([]);
    if (name !== "en") expect(texts.filter((text, index) => text === english[index])).toEqual([]);
  });

  it("takes the first language that it has", () => {
    expect(languageFor(["pt-BR", "en"])).toBe("pt");
    expect(languageFor(["nl", "DE-at"])).toBe("de");
    expect(languageFor(["nl"])).toBe("en");
    expect(languageFor(["constructor"])).toBe("en");
  });
});
