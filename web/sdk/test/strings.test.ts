import { describe, expect, it } from "vitest";
import { CODES, LANGUAGES, languageFor, type Strings } from "../src/element/strings.js";
import { FeedbackCode } from "../src/protocol/generated/facegate/v1/feedback_pb.js";
import { HINTS } from "../src/protocol/generated/texts.js";

const names = Object.values(FeedbackCode).filter((name) => typeof name === "string");

describe("the strings", () => {
  it("has a text for every code of the protocol, and its own", () => {
    expect([...CODES].sort()).toEqual(names.sort());
    expect(Object.keys(HINTS).sort()).toEqual(names.sort());
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
