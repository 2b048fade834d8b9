import { type Bytes, lengthPrefixed, sha256, utf8 } from "./bytes.js";

/** The inputs of the binding hash: everything that both sides know once the Challenge has arrived. */
export interface BindingInputs {
  token: string;
  nonce: Uint8Array;
  deviceShare: Uint8Array;
  serverShare: Uint8Array;
  sessionPublicKey: Uint8Array;
  /** Always empty for a page, which does not see the certificate. */
  serverSpkiSha256: Uint8Array;
  /** The bytes of ScanStart as sent. */
  start: Uint8Array;
}

/** The binding hash H, 32 bytes: the challenge of the platform's evidence. */
export async function bindingHash(inputs: BindingInputs): Promise<Bytes> {
  return sha256(
    lengthPrefixed(
      "facegate/v1/binding",
      await sha256(utf8(inputs.token)),
      inputs.nonce,
      inputs.deviceShare,
      inputs.serverShare,
      inputs.sessionPublicKey,
      inputs.serverSpkiSha256,
      await sha256(inputs.start),
    ),
  );
}

/** The evidence challenge E, 32 bytes: it covers the run-time findings. Without findings it is H. */
export async function evidenceChallenge(binding: Bytes, findings: Uint8Array): Promise<Bytes> {
  if (findings.length === 0) return binding;
  return sha256(lengthPrefixed("facegate/v1/evidence-challenge", binding, await sha256(findings)));
}

/** The message that the server's challenge key signs. */
export async function challengeMessage(start: Uint8Array, body: Uint8Array): Promise<Bytes> {
  return lengthPrefixed("facegate/v1/challenge", await sha256(start), body);
}

/** The message that the session key signs on a reconnect. */
export function resumeMessage(binding: Uint8Array): Bytes {
  return lengthPrefixed("facegate/v1/resume", binding);
}

/** The message that the key of the evidence signs. */
export function attestationMessage(challenge: Uint8Array): Bytes {
  return lengthPrefixed("facegate/v1/attestation", challenge);
}

/** The message that the session key signs at the end of an attempt. */
export function attemptEndMessage(binding: Uint8Array, body: Uint8Array): Bytes {
  return lengthPrefixed("facegate/v1/attempt-end", binding, body);
}
