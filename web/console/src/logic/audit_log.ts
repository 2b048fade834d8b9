/** Verifies an exported audit log in the browser: the chain of its entries, and its signed checkpoints. */
import { lengthPrefixed, sha256, utf8 } from "@facegate/protocol/bytes.js";
import { type Keys, NotVerified, verifyJws } from "./signatures.js";

/** What is wrong with a log, and at which entry or checkpoint. */
export type LogProblem = "UNREADABLE" | "GAP" | "ENTRY_ALTERED" | "CHECKPOINT_WRONG" | "CHECKPOINT_DIFFERS" | "CUT_OFF";

export interface LogFinding {
  entries: number;
  checkpoints: number;
  /** The newest entry that a checkpoint covers; 0 for none. */
  signedTo: number;
  problem: { kind: LogProblem; at: number } | null;
}

interface Entry {
  type: "entry";
  tenant: string;
  sequence: number;
  time_us: number;
  action: string;
  actor: { name: string; role: string; address: string };
  check_id: string | null;
  pseudonym: string | null;
  purpose: string;
  detail: unknown;
  detail_json: string;
  hash: string;
}
interface Checkpoint {
  type: "checkpoint";
  tenant: string;
  number: number;
  sequence: number;
  jws: string;
}
interface Mark {
  type: "start" | "head";
  tenant: string;
  sequence: number;
  hash: string;
}
type Line = Entry | Checkpoint | Mark;

class Wrong extends Error {
  constructor(
    readonly kind: LogProblem,
    readonly at: number,
  ) {
    super(kind);
  }
}

/** Verifies the lines of an export of one tenant. */
export async function verifyLog(text: string, keys: Keys, tenant: string): Promise<LogFinding> {
  const finding: LogFinding = { entries: 0, checkpoints: 0, signedTo: 0, problem: null };
  const hashes = new Map<number, string>();
  let before = { sequence: 0, hash: "0".repeat(64) };
  let last: { number: number; digest: string } | null = null;
  let ended = false;
  try {
    for (const line of read(text, tenant)) {
      if (ended) throw new Wrong("UNREADABLE", before.sequence);
      if (line.type === "start") {
        if (finding.entries + finding.checkpoints > 0) throw new Wrong("UNREADABLE", line.sequence);
        before = { sequence: line.sequence, hash: line.hash };
        hashes.set(line.sequence, line.hash);
      } else if (line.type === "entry") {
        if (line.sequence !== before.sequence + 1) throw new Wrong("GAP", before.sequence + 1);
        if (line.hash !== (await hashOf(line, before.hash)) || !readsAsHashed(line)) throw new Wrong("ENTRY_ALTERED", line.sequence);
        before = { sequence: line.sequence, hash: line.hash };
        hashes.set(line.sequence, line.hash);
        finding.entries += 1;
      } else if (line.type === "checkpoint") {
        last = await afterCheckpoint(line, keys, hashes, last);
        finding.checkpoints += 1;
        finding.signedTo = Math.max(finding.signedTo, line.sequence);
      } else {
        if (line.sequence !== before.sequence || line.hash !== before.hash) throw new Wrong("CUT_OFF", before.sequence + 1);
        ended = true;
      }
    }
    if (!ended) throw new Wrong("CUT_OFF", before.sequence + 1);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    finding.problem = { kind: error.kind, at: error.at };
  }
  return finding;
}

function* read(text: string, tenant: string): Generator<Line> {
  let number = 0;
  for (const one of text.split("\n")) {
    number += 1;
    if (one === "") continue;
    let line: Line & { version: number };
    try {
      line = JSON.parse(one) as typeof line;
    } catch {
      throw new Wrong("UNREADABLE", number);
    }
    if (line === null || line.version !== 1 || line.tenant !== tenant || !["start", "entry", "checkpoint", "head"].includes(line.type)) {
      throw new Wrong("UNREADABLE", number);
    }
    yield line;
  }
}

async function hashOf(entry: Entry, before: string): Promise<string> {
  const { actor } = entry;
  return hex(
    await sha256(
      lengthPrefixed(
        "facegate/v1/audit",
        fromHex(before),
        utf8(entry.tenant),
        uint64(entry.sequence),
        uint64(entry.time_us),
        ...[entry.action, actor?.name, actor?.role, actor?.address, entry.check_id ?? "", entry.pseudonym ?? "", entry.purpose, entry.detail_json].map(
          (field) => utf8(String(field)),
        ),
      ),
    ),
  );
}

/** Whether the field that people read is the one that the hash covers. */
function readsAsHashed(entry: Entry): boolean {
  try {
    const sorted = (value: unknown) => JSON.stringify(Object.entries(value as object).sort());
    return sorted(JSON.parse(entry.detail_json)) === sorted(entry.detail);
  } catch {
    return false;
  }
}

async function afterCheckpoint(
  line: Checkpoint,
  keys: Keys,
  hashes: ReadonlyMap<number, string>,
  last: { number: number; digest: string } | null,
): Promise<{ number: number; digest: string }> {
  let stated: Record<string, unknown>;
  try {
    const { payload } = await verifyJws(line.jws, keys, "facegate-audit-checkpoint");
    stated = JSON.parse(new TextDecoder().decode(payload)) as typeof stated;
  } catch (error) {
    if (error instanceof NotVerified || error instanceof SyntaxError) throw new Wrong("CHECKPOINT_WRONG", line.sequence);
    throw error;
  }
  const known = hashes.get(line.sequence);
  if (
    stated["tenant"] !== line.tenant ||
    stated["sequence"] !== line.sequence ||
    stated["number"] !== line.number ||
    (known !== undefined && stated["hash"] !== known) ||
    (last !== null && (line.number !== last.number + 1 || stated["previous"] !== last.digest)) ||
    (last === null && line.number === 1 && stated["previous"] !== "")
  ) {
    throw new Wrong("CHECKPOINT_DIFFERS", line.sequence);
  }
  return { number: line.number, digest: hex(await sha256(utf8(line.jws))) };
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  if (Number.isSafeInteger(value) && value >= 0) new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => Number.parseInt(text.slice(2 * at, 2 * at + 2), 16));
}
