import { describe, expect, it } from "vitest";
import { LANGUAGES, languageFor, type Strings } from "../src/strings.js";
import { FeedbackCode } from "../src/generated/facegate/v1/feedback_pb.js";

const names = Object.values(FeedbackCode).filter((name) => typeof name === "string").sort();

describe("the strings", () => {
  it.each(Object.keys(LANGUAGES))("leaves nothing out in %s, and repeats nothing of English", (name) => {
    const flat = ({ hints, ...texts }: Strings): Record<string, string> => ({ ...texts, ...hints });
    const strings = LANGUAGES[name] as Strings;
    expect(Object.keys(strings.hints).sort()).toEqual(names);
    const texts = Object.entries(flat(strings));
    const english = flat(LANGUAGES.en as Strings);
    expect(texts.filter(([, text]) => text === "")).toEqual([]);
    if (name !== "en") expect(texts.filter(([key, text]) => text === english[key])).toEqual([]);
  });

  it("takes the first language that it has", () => {
    expect(languageFor(["pt-BR", "en"])).toBe("pt");
    expect(languageFor(["nl", "DE-at"])).toBe("de");
    expect(languageFor(["nl"])).toBe("en");
    expect(languageFor(["constructor"])).toBe("en");
  });
});
