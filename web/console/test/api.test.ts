import { afterEach, describe, expect, it, vi } from "vitest";
import { call, CallError, setGuards } from "../src/api.js";

const refused = (metadata: Record<string, string>) =>
  new Response(JSON.stringify({ details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "PERMISSION_DENIED", metadata }] }), { status: 403 });

function answering(...answers: Response[]) {
  const sent = vi.fn(async () => answers.shift()!);
  vi.stubGlobal("fetch", sent);
  return sent;
}

function guarded(samePerson: boolean) {
  const changed = vi.fn(async () => samePerson);
  setGuards({ loggedOut: () => {}, stepUp: async () => false, changed, active: () => {} });
  return changed;
}

afterEach(() => vi.unstubAllGlobals());

describe("a call whose token is that of another session", () => {
  it("is repeated with the new session of the same person", async () => {
    const sent = answering(refused({}), new Response('{"days":[]}'));
    const changed = guarded(true);
    expect(await call("GetFigures", {})).toEqual({ days: [] });
    expect([changed.mock.calls.length, sent.mock.calls.length]).toEqual([1, 2]);
  });

  it("is not repeated for another person", async () => {
    const sent = answering(refused({}));
    guarded(false);
    await expect(call("GetFigures", {})).rejects.toBeInstanceOf(CallError);
    expect(sent).toHaveBeenCalledTimes(1);
  });

  it("is not one that lacks a scope", async () => {
    answering(refused({ requiredScope: "evidence.export" }));
    const changed = guarded(true);
    await expect(call("GetFigures", {})).rejects.toBeInstanceOf(CallError);
    expect(changed).not.toHaveBeenCalled();
  });
});
