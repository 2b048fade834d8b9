/** Webhooks, and what only looks like one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { ServerNotTrustedError, verifyWebhook } from "../dist/index.js";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const BODY = JSON.stringify({
  type: "check.decided",
  timestamp: "2026-11-29T12:00:00.000Z",
  data: { check_id: "4711", tenant: "retail", status: "SUCCESS", sandbox: false, policy: "standard" },
});

function headers({ id = "msg_1", time = new Date(), secret = SECRET, body = BODY } = {}) {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(time / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, time, body),
  };
}

for (const [name, form] of Object.entries({
  "of Node.js": (all) => all,
  "of Fetch": (all) => new Headers(all),
  "in capitals": (all) => Object.fromEntries(Object.entries(all).map(([key, value]) => [key.toUpperCase(), value])),
})) {
  test(`an event is read with headers ${name}`, () => {
    for (const body of [BODY, Buffer.from(BODY)]) {
      const event = verifyWebhook(body, form(headers()), SECRET);
      assert.equal(event.id, "msg_1");
      assert.equal(event.type, "check.decided");
      assert.equal(event.timestamp.toISOString(), "2026-11-29T12:00:00.000Z");
      assert.equal(event.data.check_id, "4711");
    }
  });
}

test("while secrets are rotated, either one is enough", () => {
  const [first, second] = [headers({ secret: `whsec_${Buffer.alloc(32, 1).toString("base64")}` }), headers()];
  const both = { ...second, "webhook-signature": `${first["webhook-signature"]} ${second["webhook-signature"]}` };
  assert.equal(verifyWebhook(BODY, both, SECRET).data.check_id, "4711");
});

const MINUTES = 60_000;
const REFUSED = {
  "another body": [`${BODY} `, headers()],
  "another id": [BODY, { ...headers(), "webhook-id": "msg_2" }],
  "another secret": [BODY, headers({ secret: `whsec_${Buffer.alloc(32, 8).toString("base64")}` })],
  "an old time": [BODY, headers({ time: new Date(Date.now() - 6 * MINUTES) })],
  "a time to come": [BODY, headers({ time: new Date(Date.now() + 6 * MINUTES) })],
  "no signature": [BODY, { ...headers(), "webhook-signature": undefined }],
  "no headers": [BODY, {}],
  "half a signature": [BODY, { ...headers(), "webhook-signature": "v1" }],
  "no base64": [BODY, { ...headers(), "webhook-signature": "v1,!" }],
  "no time": [BODY, { ...headers(), "webhook-timestamp": "now" }],
  "no JSON": ["text", headers({ body: "text" })],
};
const EVENT = JSON.parse(BODY);
for (const [name, event] of Object.entries({
  null: null,
  "no event": [],
  "no type": { ...EVENT, type: null },
  "no time of an event": { ...EVENT, timestamp: "now" },
  "no content": { type: EVENT.type, timestamp: EVENT.timestamp },
  "no tenant": { ...EVENT, data: {} },
  "a list": { ...EVENT, data: [] },
  "no identifier": { ...EVENT, data: { tenant: "retail", check_id: 7 } },
})) {
  const body = JSON.stringify(event);
  REFUSED[name] = [body, headers({ body })];
}
for (const [name, [body, given]] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, () => assert.throws(() => verifyWebhook(body, given, SECRET), ServerNotTrustedError));
}

test("a body that was parsed is named", () => {
  assert.throws(() => verifyWebhook(JSON.parse(BODY), headers(), SECRET), /express\.raw/);
});

for (const secret of [undefined, "", "whsec_", "whsec_a", "whsec_YQ==", SECRET.slice("whsec_".length)]) {
  test(`a secret that is none is named: ${secret}`, () => {
    assert.throws(() => verifyWebhook(BODY, headers(), secret), { name: "TypeError", message: /whsec_/ });
  });
}
