/** What an error says of the proxies of the environment. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { promisify } from "node:util";

const CALL = `
  const [, module, address] = process.argv;
  const { Facegate } = await import(module);
  const client = new Facegate({ address, apiKey: "key", results: { keys: { keys: [] }, issuer: "facegate", tenant: "default" } });
  const { name, message } = await client.getCheck("4711", { timeoutMs: 60_000 }).catch((error) => error);
  client.close();
  console.log(JSON.stringify({ name, message }));
`;
/** A port of this machine on which nothing listens. */
const CLOSED = 9;
let running;

beforeEach(() => {
  running = [];
});

afterEach(() => {
  for (const server of running) server.close();
});

/** Starts a proxy that answers every request with the same bytes, and returns its address and what it was asked for. */
async function answering(bytes) {
  const asked = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (request) => {
      asked.push(request.toString().split("\r\n")[0]);
      socket.end(bytes);
    });
  });
  running.push(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { host: `127.0.0.1:${server.address().port}`, asked };
}

/** Returns the error of a call in a process with these variables, and no others of a proxy, and what the process logs. */
async function failure(address, variables) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/proxy|^GRPC_/i.test(name)));
  const words = ["--input-type=module", "--eval", CALL, new URL("../dist/index.js", import.meta.url).href, address];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, words, { env: { ...env, ...variables } });
  const { name, message } = JSON.parse(stdout);
  assert.equal(name, "ConnectionFailedError");
  return { message, log: stderr };
}

test("a proxy that is not taken is not blamed", async () => {
  const { host, asked } = await answering("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  const http_proxy = `http://${host}`;
  // It is this machine, but no loopback address, for which no proxy is ever taken.
  const other = `https://0.0.0.0:${CLOSED}`;
  const failures = await Promise.all([
    failure(`http://127.0.0.1:${CLOSED}`, { http_proxy }),
    failure(other, { http_proxy, no_proxy: "vm,0.0.0.0" }),
    failure(other, { http_proxy, no_proxy: "0.0.0.0/8" }),
    failure(other, { http_proxy, no_grpc_proxy: ".0.0", no_proxy: "vm" }),
    failure(other, { grpc_proxy: `socks5://${host}`, http_proxy }),
    failure(other, { https_proxy: `https://${host}` }),
    failure(other, { https_proxy: host }),
  ]);
  for (const { message } of failures) {
    assert.match(message, new RegExp(`ECONNREFUSED (0\\.0\\.0\\.0|127\\.0\\.0\\.1):${CLOSED}`));
    assert.doesNotMatch(message, /proxy/);
  }
  assert.deepEqual(asked, []);
});

test("the proxy that is taken is named, and what failed behind it", async () => {
  const { host, asked } = await answering("HTTP/1.1 200 OK\r\n\r\nthese words are no TLS\r\n");
  const [taken, other] = [`http://${host}`, `http://127.0.0.1:${CLOSED}`];
  const cases = [
    ["grpc_proxy", { grpc_proxy: taken, https_proxy: other, http_proxy: other }],
    ["https_proxy", { https_proxy: `http://anna:secret@${host}/path`, http_proxy: other }],
    ["http_proxy", { grpc_proxy: "", http_proxy: taken, no_proxy: " bank.invalid , vm" }],
    ["http_proxy", { http_proxy: taken, no_grpc_proxy: "vm", no_proxy: "bank.invalid" }],
  ];
  const failures = await Promise.all(cases.map(([, variables]) => failure("https://bank.invalid", variables)));
  failures.forEach(({ message }, index) => {
    assert(message.endsWith(` (through the proxy ${host}, which ${cases[index][0]} names)`), message);
    assert.match(message, /wrong version number/);
    assert.doesNotMatch(message, /anna|secret/);
  });
  assert.deepEqual([...new Set(asked)], ["CONNECT bank.invalid:443 HTTP/1.1"]);
});

test("a proxy that gives no connection is named, and so is where its status is found", async () => {
  const cases = [
    ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", /with status 407/],
    ["HTTP/1.1 502 Bad Gateway\r\n\r\n", /with status 502/],
    ["SSH-2.0-garbage\r\n", /with error Parse Error/],
    ["", /with error socket hang up/],
  ];
  const proxies = await Promise.all(cases.map(([bytes]) => answering(bytes)));
  const hosts = [...proxies.map(({ host }) => host), `127.0.0.1:${CLOSED}`];
  const failures = await Promise.all(
    hosts.map((host) => failure("https://bank.invalid", { https_proxy: `http://anna:secret@${host}` })),
  );
  failures.forEach(({ message, log }, index) => {
    assert(message.startsWith(`UNAVAILABLE: the proxy ${hosts[index]}, which https_proxy names, `), message);
    for (const check of [/standard error/, /GRPC_VERBOSITY/, /407.*USER:PASSWORD/, /no_proxy/]) assert.match(message, check);
    assert.doesNotMatch(message, /undefined|anna|secret/);
    assert.match(log, cases[index]?.[1] ?? /ECONNREFUSED/);
  });
});
