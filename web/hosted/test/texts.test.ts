import { describe, expect, it } from "vitest";
import { LANGUAGES } from "@facegate/protocol/strings.js";
import { TEXTS, setLanguage, t, type Texts } from "../src/texts.js";

const values = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

describe("the texts", () => {
  it("are in every language of the capture screen", () => {
    expect(Object.keys(TEXTS)).toEqual(Object.keys(LANGUAGES));
  });
  it.each(Object.keys(TEXTS))("leave nothing out in %s", (name) => {
    const english = TEXTS["en"] as Texts;
    const texts = TEXTS[name] as Texts;
    expect(Object.keys(texts).sort()).toEqual(Object.keys(english).sort());
    for (const key of Object.keys(english) as (keyof Texts)[]) {
      expect(values(texts[key]), `${name}.${key}`).toEqual(values(english[key]));
      if (name !== "en") expect(texts[key], `${name}.${key}`).not.toBe(english[key]);
    }
  });
  it("take the first language that there is", () => {
    expect(setLanguage(["xx", "de-AT", "fr"])).toBe("de");
    expect(t("usePhone")).toBe(TEXTS["de"]?.usePhone);
    expect(setLanguage(["xx"])).toBe("en");
  });
  it("put names in place as they are", () => {
    setLanguage(["en"]);
    expect(t("returnNow", { name: "A $& B" })).toBe("Back to A $& B");
  });
  it("keep the signs of a name in their order from right to left", () => {
    setLanguage(["ar"]);
    expect(t("returnNow", { name: "Bank (AG)" })).toBe("العودة إلى \u2068Bank (AG)\u2069");
  });
});
