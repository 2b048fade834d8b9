// An OIDC issuer on loopback: prints its URL, and serves until its standard input ends.
//
// With the origin of a console as its argument, it has a client for it, where anybody logs in by a form.
// POST /control/rotate replaces all keys; GET /control/fetches counts the requests of the JWKS.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

const PATH = "/realms/bank";
const AUDIENCE = "urn:facegate";
const TYPES = {
  ES256: ["ec", { namedCurve: "P-256" }],
  RS256: ["rsa", { modulusLength: 2048 }],
  PS256: ["rsa", { modulusLength: 2048 }],
  EdDSA: ["ed25519", {}],
};

const GROUPS = { anna: ["compliance"], bert: ["compliance"], rita: ["readers"], eve: ["strangers"] };
const consoleOrigin = process.argv[2];

let generation = 0;
let fetches = 0;

function newKeys() {
  generation += 1;
  return Object.entries(TYPES).map(([alg, [type, options]]) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
    kid: `${alg}-${generation}`,
    use: "sig",
    alg,
  }));
}

function newProvider(issuer) {
  return new Provider(issuer, {
    clients: [
      {
        client_id: "backend",
        client_secret: "secret of the tests",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: "client_secret_post",
        id_token_signed_response_alg: "ES256",
      },
      ...(consoleOrigin
        ? [
            {
              client_id: "console",
              client_secret: "secret of the console: 100% +",
              grant_types: ["authorization_code"],
              redirect_uris: [`${consoleOrigin}/login/callback`],
              response_types: ["code"],
              id_token_signed_response_alg: "ES256",
              require_auth_time: true,
              post_logout_redirect_uris: [`${consoleOrigin}/`],
              backchannel_logout_uri: `${consoleOrigin}/login/backchannel-logout`,
              backchannel_logout_session_required: true,
            },
          ]
        : []),
    ],
    ...(consoleOrigin && {
      // In ID tokens, not only at the userinfo endpoint.
      conformIdTokenClaims: false,
      claims: { openid: ["sub"], groups: ["groups"] },
      scopes: ["openid", "groups"],
      // Without its dispatcher, which refuses to call loopback.
      fetch: (url, { dispatcher: _, ...options }) => globalThis.fetch(url, options),
      cookies: { keys: ["a key of the tests"] },
      findAccount: (_context, sub) => ({
        accountId: sub,
        claims: () => ({ sub, groups: GROUPS[sub] ?? [] }),
      }),
    }),
    enabledJWA: { idTokenSigningAlgValues: Object.keys(TYPES) },
    jwks: { keys: newKeys() },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: Boolean(consoleOrigin) },
      backchannelLogout: { enabled: Boolean(consoleOrigin) },
      resourceIndicators: {
        enabled: true,
        // urn:facegate and urn:facegate:RS256 are one audience.
        getResourceServerInfo: (_context, resource) => ({
          accessTokenFormat: "jwt",
          accessTokenTTL: 300,
          audience: resource.startsWith(`${AUDIENCE}:`) ? AUDIENCE : resource,
          jwt: { sign: { alg: TYPES[resource.split(":").at(-1)] ? resource.split(":").at(-1) : "ES256" } },
          scope: "facegate.checks facegate.evidence facegate.other",
        }),
      },
    },
  });
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}${PATH}`;
  let answer = newProvider(issuer).callback();
  server.on("request", (request, response) => {
    if (request.url === "/control/rotate") {
      answer = newProvider(issuer).callback();
      response.end();
    } else if (request.url === "/control/fetches") {
      response.end(String(fetches));
    } else if (request.url.startsWith(`${PATH}/`)) {
      fetches += request.url === `${PATH}/jwks` ? 1 : 0;
      // The provider takes the path below which it is mounted from the difference of the two.
      request.originalUrl = request.url;
      request.url = request.url.slice(PATH.length);
      answer(request, response);
    } else {
      response.writeHead(404).end();
    }
  });
  console.log(issuer);
});
process.stdin.on("end", () => process.exit()).resume();
