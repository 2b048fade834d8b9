import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** A duration in milliseconds; 0 if absent. */
export function milliseconds(duration: Duration | Timestamp | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
