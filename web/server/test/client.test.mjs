/** The client before a server that loses, refuses and puts off calls. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { CallRefusedError, ConnectionFailedError, Facegate, VerificationService } from "../dist/index.js";
import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from "../dist/generated/google/rpc/error_details_pb.js";

const results = { keys: { keys: [] }, issuer: "facegate", tenant: "default" };
const WAITING = { progress: { checkId: "4711", state: 1 } };
const DECIDED = { progress: { checkId: "4711", state: 4 } };
let server, port, facegate, calls, answers;

function refusal(code, reason, { metadata = {}, retryMs } = {}) {
  const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: "facegate.org", metadata }))];
  if (retryMs !== undefined) {
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(retryMs) })));
  }
  const trailers = new Metadata();
  const sent = create(StatusSchema, { code, message: "as it is", details });
  trailers.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, sent)));
  return { code, details: "as it is", metadata: trailers };
}

/** Every call: the next answer, a message, an error, a list of messages with an error perhaps, or none at all. */
function handlers() {
  return Object.fromEntries(
    VerificationService.methods.map((method) => [
      method.name,
      (call, answered) => {
        calls.push({ name: method.name, request: call.request, metadata: call.metadata.getMap(), deadline: call.getDeadline() });
        const answer = answers.shift();
        if (answer === undefined) return;
        if (!Array.isArray(answer)) answered(...("code" in answer ? [answer] : [null, create(method.output, answer)]));
        else {
          for (const one of answer) "code" in one ? call.emit("error", one) : call.write(create(method.output, one));
          if (!answer.some((one) => "code" in one)) call.end();
        }
      },
    ]),
  );
}

beforeEach(async () => {
  [calls, answers] = [[], []];
  server = new Server();
  const wire = VerificationService.methods.map((method) => [
    method.name,
    {
      path: `/${VerificationService.typeName}/${method.name}`,
      requestStream: false,
      responseStream: method.methodKind === "server_streaming",
      requestDeserialize: (bytes) => fromBinary(method.input, bytes),
      requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
      responseDeserialize: (bytes) => fromBinary(method.output, bytes),
      responseSerialize: (message) => Buffer.from(toBinary(method.output, message)),
    },
  ]);
  server.addService(Object.fromEntries(wire), handlers());
  port = await new Promise((resolve, reject) => {
    const bound = (error, number) => (error ? reject(error) : resolve(number));
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), bound);
  });
  facegate = new Facegate({ address: `http://127.0.0.1:${port}`, apiKey: "fg-key\n", results });
});

afterEach(() => {
  facegate.close();
  server.forceShutdown();
});

test("a portrait that no server reads is refused with the limit", async () => {
  const refused = await facegate
    .uploadTrustedImage({ image: new Uint8Array(12_000_000) })
    .catch((error) => error);
  assert.ok(refused instanceof CallRefusedError);
  assert.equal(refused.code, "RESOURCE_EXHAUSTED");
  assert.match(refused.message, /2,000,000/);
});

test("a server on this machine is reached without a proxy", async () => {
  const seen = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    seen.push(request.url);
    socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const names = ["grpc_proxy", "https_proxy", "http_proxy"];
  const before = names.map((name) => process.env[name]);
  try {
    for (const name of names) {
      for (const each of names) delete process.env[each];
      process.env[name] = `http://127.0.0.1:${proxy.address().port}`;
      const client = new Facegate({ address: `http://127.0.0.1:${port}`, apiKey: "fg-key", results });
      answers = [{ checkId: "4711" }];
      await client.uploadTrustedImage({ image: Buffer.from("x") }, { timeoutMs: 5000 });
      client.close();
    }
  } finally {
    names.forEach((name, index) => {
      if (before[index] === undefined) delete process.env[name];
      else process.env[name] = before[index];
    });
    proxy.close();
  }
  assert.deepEqual(seen, []);
  assert.equal(calls.length, 3);
});

test("a call has the key and the recommended deadline", async () => {
  answers = [{ checkId: "4711" }, WAITING];
  const began = Date.now();
  await facegate.uploadTrustedImage({ image: Buffer.from("x") });
  await facegate.getCheck("4711");
  const over = Date.now();
  assert.deepEqual(calls.map(({ metadata }) => metadata.authorization), ["Bearer fg-key", "Bearer fg-key"]);
  for (const [index, seconds] of [10, 5].entries()) {
    const due = calls[index].deadline.valueOf() - 1000 * seconds;
    assert(began - 50 <= due && due <= over + 50, `${due} is not between ${began} and ${over}`);
  }
  assert.deepEqual(calls[0].request.trustedImage, { case: "image", value: Buffer.from("x") });
  assert.match(calls[0].request.requestId, /^[0-9a-f-]{36}$/);
});

test("a lost answer is asked for again, with the same request", async () => {
  answers = [{ code: status.UNAVAILABLE }, refusal(status.UNAVAILABLE, "NOT_SERVING", { retryMs: 1 }), { checkId: "4711" }];
  assert.equal((await facegate.uploadTrustedImage({ imageReference: "4711.jpg", policy: "low" })).checkId, "4711");
  assert.deepEqual(calls[1].request, calls[0].request);
  assert.deepEqual(calls[2].request, calls[0].request);
});

test("a refusal has its reason, numbers and wait, and is not repeated", async () => {
  const metadata = { minimum: "85", measured: "40" };
  answers = [refusal(status.INVALID_ARGUMENT, "EYE_DISTANCE_TOO_SMALL", { metadata })];
  await assert.rejects(facegate.uploadTrustedImage({ image: Buffer.from("x") }), (error) => {
    assert(error instanceof CallRefusedError);
    assert.equal(error.reason, "EYE_DISTANCE_TOO_SMALL");
    assert.equal(error.code, "INVALID_ARGUMENT");
    assert.deepEqual(error.metadata, metadata);
    assert.equal(error.message, "EYE_DISTANCE_TOO_SMALL: as it is");
    return true;
  });
  answers = [refusal(status.RESOURCE_EXHAUSTED, "TOO_MANY_FAILURES", { retryMs: 1_800_000 })];
  await assert.rejects(facegate.uploadTrustedImage({ image: Buffer.from("x") }), { reason: "TOO_MANY_FAILURES", retryAfterMs: 1_800_000 });
  assert.equal(calls.length, 2);
});

test("a server that does not answer ends with its deadline", async () => {
  // The time is of the calls, and not of the connection, which a busy machine is slow to make.
  answers = [WAITING];
  await facegate.getCheck("4711", { timeoutMs: 60_000 });
  await assert.rejects(facegate.getCheck("4711", { timeoutMs: 1000 }), ConnectionFailedError);
  assert.equal(calls.length, 5);
});

test("a certificate of another authority is named, and so is ca", async () => {
  const folder = mkdtempSync(join(tmpdir(), "facegate-"));
  const [key, certificate] = ["tls.key", "tls.pem"].map((name) => join(folder, name));
  const made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost";
  execFileSync("openssl", [...made.split(" "), "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const pair = { private_key: readFileSync(key), cert_chain: readFileSync(certificate) };
  rmSync(folder, { recursive: true });
  const trusted = new Server();
  const bound = await promisify(trusted.bindAsync.bind(trusted))("127.0.0.1:0", ServerCredentials.createSsl(null, [pair]));
  const stranger = new Facegate({ address: `https://localhost:${bound}`, apiKey: "key", results });
  await assert.rejects(stranger.getCheck("4711"), { name: "ConnectionFailedError", message: /certificate.*\bca\b/ });
  stranger.close();
  trusted.forceShutdown();
});

test("a call is given up by its signal", async () => {
  const giving = new AbortController();
  const called = facegate.getCheck("4711", { signal: giving.signal });
  setTimeout(() => giving.abort(), 50);
  await assert.rejects(called, { name: "AbortError" });
});

test("a watch goes on after a lost stream, without repeating a state", async () => {
  answers = [[WAITING, { code: status.UNAVAILABLE }], [WAITING, DECIDED]];
  const states = [];
  for await (const { state } of facegate.watchCheck("4711")) states.push(state);
  assert.deepEqual(states, [1, 4]);
});

test("a watch of a check that there is not ends", async () => {
  answers = [[refusal(status.NOT_FOUND, "CHECK_NOT_FOUND")]];
  await assert.rejects(facegate.watchCheck("4711").next(), { reason: "CHECK_NOT_FOUND" });
});

test("a check is compared with any of the three", async () => {
  answers = [{}, {}, {}];
  for (const given of [{ image: Buffer.from("x") }, { imageReference: "4711.jpg" }, { trustedCheckId: "4711" }]) {
    await facegate.uploadTrustedImage(given);
  }
  const cases = calls.map(({ request }) => request.trustedImage.case);
  assert.deepEqual(cases, ["image", "imageReference", "trustedCheckId"]);
});

test("checks are found page by page", async () => {
  answers = [{ checks: [{ checkId: "3" }, { checkId: "2" }], nextPageToken: "next" }, { checks: [{ checkId: "1" }] }];
  const found = [];
  for await (const { checkId } of facegate.findChecks({ subjectReference: "customer-4711" })) found.push(checkId);
  assert.deepEqual(found, ["3", "2", "1"]);
  assert.deepEqual(calls.map(({ request }) => [request.subjectReference, request.pageToken]), [["customer-4711", ""], ["customer-4711", "next"]]);
});

test("plaintext is for this machine only", () => {
  for (const address of ["http://facegate.example:8444", "facegate.example:8444", "ftp://127.0.0.1"]) {
    assert.throws(() => new Facegate({ address, results }), TypeError);
  }
});

test("options of TLS are refused with a plaintext address", () => {
  for (const option of ["ca", "certificate", "key"]) {
    const made = () => new Facegate({ address: "http://localhost:8444", [option]: "PEM", results });
    assert.throws(made, { name: "TypeError", message: `${option} is for https://, and address is http://localhost:8444` });
  }
  new Facegate({ address: "http://localhost:8444", ca: undefined, results }).close();
});

test("an option that the environment lacks is named", () => {
  const address = "http://127.0.0.1:1";
  for (const value of [undefined, "", "\n"]) {
    assert.throws(() => new Facegate({ address, apiKey: value, results }), { name: "TypeError", message: /apiKey/ });
    assert.throws(() => new Facegate({ address: value, results }), { name: "TypeError", message: /address/ });
  }
});

test("an unknown option is refused, and the known ones are named", async () => {
  const address = `http://127.0.0.1:${port}`;
  const image = Buffer.from("x");
  const refused = (message) => ({ name: "TypeError", message });
  assert.throws(() => new Facegate({ address, api_key: "key", results }), refused(/^Facegate: unknown option "api_key"; known: address, apiKey,/));
  assert.throws(() => new Facegate({ address, results: { ...results, sandbox: true } }), refused(/^results: unknown option "sandbox"; known: keys,/));
  for (const [strange, message] of [
    [{ subject: "4711" }, /^uploadTrustedImage: unknown option "subject"; known: image, .*subjectReference/],
    [{ hosted: { return_url: "https://x.example" } }, /^\w+: unknown option "return_url"; known: .*returnUrl/],
    [{ sandboxOutcome: { status: 1, delay: 3 } }, /^\w+: unknown option "delay"; known: status/],
  ]) {
    await assert.rejects(facegate.uploadTrustedImage({ image, ...strange }), refused(message));
  }
  await assert.rejects(facegate.getCheck("4711", { timeout: 3 }), refused(/^getCheck: unknown option "timeout"; known: timeoutMs, signal$/));
  await assert.rejects(facegate.finishCheck("4711", { timeout: 3 }), refused(/^finishCheck: unknown option "timeout"; known: timeoutMs/));
  await assert.rejects(facegate.watchCheck("4711", { reviewed: true }).next(), refused(/^watchCheck: unknown option "reviewed"/));
  await assert.rejects(facegate.findChecks({ subject: "4711" }).next(), refused(/^FindChecksRequest: unknown option "subject"/));
  assert.deepEqual(calls, []);
});

test("an enum field that is none is named, and so is the enum", async () => {
  const image = Buffer.from("x");
  for (const [outcome, message] of [
    [{ status: "SUCCESS" }, /^SandboxOutcome\.status: "SUCCESS" is no CheckStatus; use one of .*CheckStatus\.SUCCESS,/],
    [{ status: 2, reason: "FACES_DIFFER" }, /^SandboxOutcome\.reason: "FACES_DIFFER" is no FailureReason; use one of .*FailureReason\./],
  ]) {
    await assert.rejects(facegate.uploadTrustedImage({ image, sandboxOutcome: outcome }), { name: "TypeError", message });
  }
  const message = /^FindChecksRequest\.state: "DECIDED" is no CheckProgress_State; use one of .*CheckProgress_State\.DECIDED,/;
  await assert.rejects(facegate.findChecks({ state: "DECIDED" }).next(), { name: "TypeError", message });
  assert.deepEqual(calls, []);
});

test("a check is compared with exactly one of the three", async () => {
  for (const given of [{}, { image: undefined }, { image: Buffer.from("x"), trustedCheckId: "4711" }]) {
    await assert.rejects(facegate.uploadTrustedImage(given), { name: "TypeError", message: /exactly one/ });
  }
  assert.equal(calls.length, 0);
});

test("an image that is no bytes is named", async () => {
  for (const image of ["portrait.jpg", "/9j/4AAQSkZJRg==", null, { type: "Buffer", data: [255] }]) {
    await assert.rejects(facegate.uploadTrustedImage({ image }), { name: "TypeError", message: /bytes/ });
  }
  assert.equal(calls.length, 0);
});

test("a request that is none is not a failed connection", async () => {
  const called = facegate.findChecks({ pageSize: 1.5 }).next();
  await assert.rejects(called, { name: "TypeError", message: /FindChecksRequest/ });
  assert.equal(calls.length, 0);
});
