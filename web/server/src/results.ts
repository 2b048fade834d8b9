/** Signed results: verified with the server's published keys, when they arrive and whenever a stored one is read. */
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { compactVerify, createLocalJWKSet, createRemoteJWKSet, customFetch, errors, jwtVerify, type FetchImplementation, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { fromBinary } from "@bufbuild/protobuf";
import { CheckResultSchema, type CheckResult } from "@facegate/protocol/generated/facegate/v1/result_pb.js";
import { ConnectionFailedError, SandboxResultError, ServerNotTrustedError } from "./errors.js";
import { expectKnown } from "./known.js";

const KEYS_AGE_MS = 300_000;

/** What results must be to be believed. */
export interface ExpectedResults {
  /**
   * The server's published keys: the JWK Set, or its address, `/.well-known/jwks.json` of the admin listener. Who can
   * change what the address answers can sign results: over a network, use https.
   */
  keys: JSONWebKeySet | string | URL;
  /** The server's `results.issuer`. */
  issuer: string;
  /** Your tenant. */
  tenant: string;
  /** Whether results of sandbox checks are accepted: in tests only. */
  acceptSandbox?: boolean;
}

/** The claims of the JWT of a result (`docs/orchestrator.md`). A result does not expire. */
export interface ResultClaims {
  iss: string;
  /** The tenant; of a sandbox check `sandbox:` and the tenant. */
  aud: string;
  /** The `subjectReference` of the check. */
  sub?: string;
  /** When it was decided, seconds since 1970. */
  iat: number;
  jti: string;
  /** Compare it with the check that you asked for. */
  check_id: string;
  status: "SUCCESS" | "FAILURE" | "NOT_DECIDED" | (string & {});
  reasons: string[];
  policy: { name: string; version: string; sha256: string; oid?: string };
  assurance: { mode?: string; device: string; required_fmr?: number };
  /** Of the evidence frame, in hexadecimal. */
  evidence_frame_sha256?: string;
  sandbox: boolean;
  /** Whether a sandbox caller chose the outcome. */
  requested_outcome?: boolean;
  /** The check whose face the scan was compared with. */
  trusted_check_id?: string;
  [claim: string]: unknown;
}

/** Verifies results. It keeps fetched keys for 5 minutes, so make one and use it again. */
export class ResultVerifier {
  readonly #expected: ExpectedResults;
  readonly #keys: JWTVerifyGetKey;

  constructor(expected: ExpectedResults) {
    expectKnown("results", expected, ["keys", "issuer", "tenant", "acceptSandbox"]);
    const { keys, issuer, tenant } = expected;
    // Options from `process.env` may be undefined, and jose compares no issuer then.
    for (const [name, value] of Object.entries({ issuer, tenant })) given(`results.${name}`, value);
    if (typeof keys !== "object" || keys === null) given("results.keys", keys);
    this.#expected = { ...expected };
    this.#keys =
      typeof keys === "string" || keys instanceof URL
        ? createRemoteJWKSet(new URL(keys), {
            cacheMaxAge: KEYS_AGE_MS,
            ...(new URL(keys).protocol === "http:" ? { [customFetch]: fetchedDirectly } : {}),
          })
        : createLocalJWKSet(keys);
  }

  /**
   * Returns the signed result.
   *
   * @param resultJws `resultJws` of a response of FinishCheck.
   * @throws SandboxResultError It is of a sandbox check, and those are not accepted.
   * @throws ServerNotTrustedError The signature is wrong, or the result is of another type, issuer or tenant.
   */
  async verify(resultJws: string): Promise<CheckResult> {
    const { issuer, tenant } = this.#expected;
    const { protectedHeader: header, payload } = await trusted(
      compactVerify(resultJws.trim(), this.#keys, { algorithms: ["ES256"] }),
    );
    for (const [name, expected] of Object.entries({ typ: "facegate-result", iss: issuer, tenant })) {
      if (header[name] !== expected) {
        throw new ServerNotTrustedError(`the result's ${name} is ${header[name]}; expected ${expected}`);
      }
    }
    const result = parsed(payload);
    if ((header["sandbox"] ?? false) !== result.sandbox) {
      throw new ServerNotTrustedError("header and payload disagree whether the check is a sandbox check");
    }
    this.#refuseSandbox(result.sandbox, result.checkId);
    return result;
  }

  /**
   * Returns the claims of a result's JWT.
   *
   * @param resultJwt `resultJwt` of a response of FinishCheck.
   * @throws SandboxResultError It is of a sandbox check, and those are not accepted.
   * @throws ServerNotTrustedError The signature is wrong, or the JWT is of another type, issuer or tenant.
   */
  async verifyJwt(resultJwt: string): Promise<ResultClaims> {
    const { issuer, tenant } = this.#expected;
    const ofSandbox = `sandbox:${tenant}`;
    const { payload } = await trusted(
      jwtVerify<ResultClaims>(resultJwt.trim(), this.#keys, {
        algorithms: ["ES256"],
        typ: "facegate-result+jwt",
        issuer,
        audience: [tenant, ofSandbox],
      }),
    );
    if (payload.sandbox !== (payload.aud === ofSandbox)) {
      throw new ServerNotTrustedError("the claims disagree whether the check is a sandbox check");
    }
    this.#refuseSandbox(payload.sandbox, payload.check_id);
    return payload;
  }

  #refuseSandbox(sandbox: boolean, checkId: string): void {
    if (sandbox && !this.#expected.acceptSandbox) {
      throw new SandboxResultError(
        `the check ${checkId} is a sandbox check, which proves nothing; in tests only: acceptSandbox: true`,
      );
    }
  }
}

/** Refuses an option that is no text, or an empty one. */
export function given(name: string, value: unknown): void {
  if (typeof value !== "string" || value.trim() === "") throw new TypeError(`${name} must be a text that is not empty`);
}

/**
 * Fetches plaintext, for which `fetch` takes the proxy of the environment where NODE_USE_ENV_PROXY is set: that could
 * answer with keys of its own.
 */
const fetchedDirectly: FetchImplementation = async (url, { headers, signal }) => {
  try {
    const asked = get(url, { agent: new Agent(), headers: Object.fromEntries(headers), signal });
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    return new Response(await text(answer), { status: answer.statusCode ?? 0 });
  } catch (error) {
    signal.throwIfAborted();
    throw new TypeError((error as Error).message || "fetch failed", { cause: error });
  }
};

async function trusted<T>(verifying: Promise<T>): Promise<T> {
  try {
    return await verifying;
  } catch (error) {
    // `fetch` raises a TypeError, and jose an error without a kind for another status than 200.
    const fetching = error instanceof TypeError || (error instanceof errors.JOSEError && error.code === "ERR_JOSE_GENERIC");
    if (fetching || error instanceof errors.JWKSTimeout) {
      throw new ConnectionFailedError(`the keys of results cannot be fetched: ${error.message}`, { cause: error });
    }
    if (!(error instanceof errors.JOSEError)) throw error;
    throw new ServerNotTrustedError(`the signature of the result is not valid: ${error.message}`, { cause: error });
  }
}

function parsed(payload: Uint8Array): CheckResult {
  try {
    return fromBinary(CheckResultSchema, payload);
  } catch (error) {
    throw new ServerNotTrustedError("the signed payload is not a CheckResult", { cause: error });
  }
}
