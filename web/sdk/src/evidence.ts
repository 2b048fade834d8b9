import { create, toBinary } from "@bufbuild/protobuf";
import { type Bytes, owned } from "@facegate/protocol/bytes.js";
import {
  AttestationUnavailable_Reason as Unavailable,
  RuntimeFindingKind,
  RuntimeFindingsSchema,
} from "@facegate/protocol/generated/facegate/v1/device_pb.js";
import { SigningKey } from "@facegate/protocol/keys.js";
import { attestationMessage, evidenceChallenge } from "@facegate/protocol/transcript.js";
import { stored } from "./storage.js";
import type { ScanStream } from "./stream.js";

const MOST_ATTESTATIONS = 4;
const KEY_NAME = "attestation-key";
const CREDENTIAL_NAME = "passkey";

/** Evidence of the platform. */
export type Evidence =
  | { case: "webCrypto"; value: { publicKey: Uint8Array; signature: Uint8Array; origin: string } }
  | {
      case: "webAuthn";
      value: {
        credentialId: Uint8Array;
        clientDataJson: Uint8Array;
        attestationObject?: Uint8Array;
        authenticatorData?: Uint8Array;
        signature?: Uint8Array;
      };
    };

/**
 * Makes evidence for a challenge of 32 bytes: the binding hash of the stream, or a hash over it. Its `sent` is called
 * once it was sent, which it is not if the scan ended meanwhile.
 */
export type Attestor = (challenge: Uint8Array<ArrayBuffer>) => Promise<Evidence & { sent?: () => Promise<unknown> }>;

/**
 * A key of WebCrypto that the browser keeps for this origin and that cannot be exported. It recognises a browser
 * that scanned before, and proves nothing about the camera.
 */
export const browserKey: Attestor = async (challenge) => {
  const pair = await stored<CryptoKeyPair>(KEY_NAME, () =>
    crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]),
  );
  const key = await SigningKey.from(pair);
  const signature = await key.sign(attestationMessage(challenge));
  return { case: "webCrypto", value: { publicKey: key.publicDer, signature, origin: location.origin } };
};

/** The settings of a passkey. */
export interface PasskeyOptions {
  /** The server's `device_integrity.web.rp_id`; by default the page's host. */
  rpId?: string;
  /** The name that the browser shows beside the passkey. */
  displayName: string;
}

/**
 * A passkey of the person's device, which the browser asks for during the scan. It is made in the first scan and
 * used in later ones. The browser shows a dialogue of its own, so tell people why.
 */
export function passkey({ rpId = location.hostname, displayName }: PasskeyOptions): Attestor {
  return async (challenge) => {
    const known = await stored<ArrayBuffer | undefined>(CREDENTIAL_NAME);
    if (known !== undefined) {
      const used = (await navigator.credentials.get({
        publicKey: {
          challenge,
          rpId,
          userVerification: "required",
          allowCredentials: [{ type: "public-key", id: known }],
        },
      })) as PublicKeyCredential;
      const { clientDataJSON, authenticatorData, signature } = used.response as AuthenticatorAssertionResponse;
      return webAuthn(used, { clientDataJson: clientDataJSON, authenticatorData, signature });
    }
    const made = (await navigator.credentials.create({
      publicKey: {
        challenge,
        rp: { id: rpId, name: rpId },
        user: { id: crypto.getRandomValues(new Uint8Array(16)), name: displayName, displayName },
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { userVerification: "required" },
        attestation: "none",
      },
    })) as PublicKeyCredential;
    const { clientDataJSON, attestationObject } = made.response as AuthenticatorAttestationResponse;
    const evidence = webAuthn(made, { clientDataJson: clientDataJSON, attestationObject });
    // The server knows a passkey only from the message with which it was made.
    return { ...evidence, sent: () => stored(CREDENTIAL_NAME, async () => made.rawId) };
  };
}

/** The evidence of one scan, with the run-time findings. @internal */
export class ScanEvidence {
  private sent = 0;

  constructor(private readonly attestors: readonly Attestor[]) {}

  /** Makes evidence for a stream and sends it. The binding hash differs in every stream, so it is made anew. */
  async send(stream: ScanStream): Promise<void> {
    const runtimeFindings = stream.challenge.attestation?.runtimeFindings ? findings() : new Uint8Array();
    const challenge = await evidenceChallenge(stream.binding, runtimeFindings);
    let count = 0;
    let problem = "";
    for (const attestor of this.attestors) {
      if (this.sent >= MOST_ATTESTATIONS) return;
      let made: Awaited<ReturnType<Attestor>>;
      try {
        made = await attestor(challenge);
      } catch (error) {
        problem = error instanceof Error ? error.name.slice(0, 64) : "";
        continue;
      }
      const { sent, ...evidence } = made;
      this.sent += 1;
      count += 1;
      if (await stream.sendAttestation({ evidence, runtimeFindings })) await sent?.();
    }
    if (count > 0 || this.sent >= MOST_ATTESTATIONS) return;
    this.sent += 1;
    const reason = problem === "NotAllowedError" ? Unavailable.REFUSED : Unavailable.NOT_SUPPORTED;
    await stream.sendAttestation({
      evidence: { case: "unavailable", value: { reason, platformError: problem } },
      runtimeFindings,
    });
  }
}

/** The serialised findings: whether a program drives the browser. */
function findings(): Bytes {
  const kind = RuntimeFindingKind.AUTOMATION;
  const found = navigator.webdriver ? [{ kind, name: "navigator.webdriver" }] : [];
  return owned(toBinary(RuntimeFindingsSchema, create(RuntimeFindingsSchema, { lookedFor: [kind], findings: found })));
}

function webAuthn(
  credential: PublicKeyCredential,
  parts: { clientDataJson: ArrayBuffer } & Record<string, ArrayBuffer>,
): Evidence {
  const { clientDataJson, ...others } = parts;
  const bytes = Object.fromEntries(Object.entries(others).map(([name, part]) => [name, new Uint8Array(part)]));
  const credentialId = new Uint8Array(credential.rawId);
  return { case: "webAuthn", value: { credentialId, clientDataJson: new Uint8Array(clientDataJson), ...bytes } };
}

/** A random identifier of this browser for this origin, for the server's rate limits. */
export async function installationId(): Promise<string> {
  try {
    return await stored("installation", async () => crypto.randomUUID());
  } catch {
    return "";
  }
}

