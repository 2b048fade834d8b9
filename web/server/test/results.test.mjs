/** Results, and what is not one. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { CompactSign, SignJWT, exportJWK, generateKeyPair } from "jose";
import {
  CheckResultSchema,
  CheckStatus,
  ConnectionFailedError,
  ResultVerifier,
  SandboxResultError,
  ServerNotTrustedError,
} from "../dist/index.js";

const expected = { issuer: "https://facegate.bank.example", tenant: "retail" };
const HEADER = { alg: "ES256", typ: "facegate-result", kid: "1", iss: expected.issuer, tenant: "retail" };
let own, stranger, keys;

before(async () => {
  own = await generateKeyPair("ES256");
  stranger = await generateKeyPair("ES256");
  keys = { keys: [{ ...(await exportJWK(own.publicKey)), kid: "1", alg: "ES256", use: "sig" }] };
});

function signed({ header = {}, result = {}, key = own.privateKey, payload } = {}) {
  const content = create(CheckResultSchema, { checkId: "4711", status: CheckStatus.SUCCESS, ...result });
  return new CompactSign(payload ?? toBinary(CheckResultSchema, content))
    .setProtectedHeader({ ...HEADER, ...header })
    .sign(key);
}

const altered = (jws, part) => jws.split(".").map((text, at) => (at === part ? `${text.slice(0, -2)}AA` : text)).join(".");

test("a result is read", async () => {
  const result = await new ResultVerifier({ keys, ...expected }).verify(await signed());
  assert.equal(result.checkId, "4711");
  assert.equal(result.status, CheckStatus.SUCCESS);
});

const REFUSED = {
  "another payload": async () => altered(await signed(), 1),
  "another signature": async () => altered(await signed(), 2),
  "no signature": async () => (await signed()).replace(/[^.]+$/, ""),
  "no algorithm": async () => {
    const [, payload] = (await signed()).split(".");
    return `${Buffer.from(JSON.stringify({ ...HEADER, alg: "none" })).toString("base64url")}.${payload}.`;
  },
  "another algorithm": () => signed({ header: { alg: "HS256" }, key: new TextEncoder().encode(JSON.stringify(keys.keys[0])) }),
  "another key": () => signed({ key: stranger.privateKey }),
  "an unknown key": () => signed({ header: { kid: "2" } }),
  "another type": () => signed({ header: { typ: "facegate-record" } }),
  "another issuer": () => signed({ header: { iss: "https://other.example" } }),
  "no issuer": () => signed({ header: { iss: undefined } }),
  "another tenant": () => signed({ header: { tenant: "other" } }),
  "a header that hides the sandbox": () => signed({ result: { sandbox: true } }),
  "a header that invents the sandbox": () => signed({ header: { sandbox: true } }),
  "no result": () => signed({ payload: Buffer.from([0xff]) }),
  "no JWS": async () => "result",
};
for (const [name, made] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, async () => {
    const results = new ResultVerifier({ keys, ...expected, acceptSandbox: true });
    await assert.rejects(results.verify(await made()), ServerNotTrustedError);
  });
}

test("a sandbox result is only for those who say so", async () => {
  const jws = await signed({ header: { sandbox: true }, result: { sandbox: true } });
  await assert.rejects(new ResultVerifier({ keys, ...expected }).verify(jws), SandboxResultError);
  assert.equal((await new ResultVerifier({ keys, ...expected, acceptSandbox: true }).verify(jws)).sandbox, true);
});

function jwt({ header = {}, claims = {}, key = own.privateKey } = {}) {
  const result = { status: "SUCCESS", reasons: [], check_id: "4711", sandbox: false };
  const all = { iss: expected.issuer, aud: "retail", iat: 1, ...result, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: "ES256", kid: "1", typ: "facegate-result+jwt", ...header }).sign(key);
}

test("the claims of a JWT are read", async () => {
  const results = new ResultVerifier({ keys, ...expected });
  assert.equal((await results.verifyJwt(await jwt())).status, "SUCCESS");
  const tried = await jwt({ claims: { sandbox: true, aud: "sandbox:retail" } });
  await assert.rejects(results.verifyJwt(tried), SandboxResultError);
  assert.equal((await new ResultVerifier({ keys, ...expected, acceptSandbox: true }).verifyJwt(tried)).sandbox, true);
  for (const other of [
    { header: { typ: "JWT" } },
    { claims: { iss: "other" } },
    { claims: { aud: "other" } },
    { claims: { sandbox: true } },
    { claims: { aud: "sandbox:retail" } },
    { claims: { aud: ["retail", "other"], sandbox: true } },
    { key: stranger.privateKey },
  ]) {
    await assert.rejects(results.verifyJwt(await jwt(other)), ServerNotTrustedError);
  }
});

test("keys are fetched once, and a server without them is named", async () => {
  let [asked, code] = [0, 200];
  const server = createServer((_, response) => {
    asked += 1;
    response.writeHead(code).end(JSON.stringify(keys));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const remote = { keys: `http://127.0.0.1:${server.address().port}/jwks.json`, ...expected };
  const results = new ResultVerifier(remote);
  await results.verify(await signed());
  await results.verify(await signed());
  assert.equal(asked, 1);
  code = 503;
  await assert.rejects(new ResultVerifier(remote).verify(await signed()), ConnectionFailedError);
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(new ResultVerifier(remote).verify(await signed()), ConnectionFailedError);
});

test("what results are to be is stated", () => {
  for (const value of [undefined, null, "", " ", ["x", "facegate"]]) {
    for (const name of ["issuer", "tenant", "keys"]) {
      if (name === "keys" && Array.isArray(value)) continue;
      const make = () => new ResultVerifier({ keys, ...expected, [name]: value });
      assert.throws(make, { name: "TypeError", message: new RegExp(`results\\.${name}`) });
    }
  }
});
