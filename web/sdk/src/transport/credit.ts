/** Counts the credit of the device. If a frame is sent without enough credit, the server ends the scan. */
export class Credit {
  private frames: number;
  private bytes: number;

  /** Begins with the credit of an AttemptStart, which replaces what was left. */
  constructor(initial: { frames: number; bytes: number } | undefined) {
    this.frames = initial?.frames ?? 0;
    this.bytes = initial?.bytes ?? 0;
  }

  /** Adds the credit of a Credit message. */
  add(more: { frames: number; bytes: number }): void {
    this.frames += more.frames;
    this.bytes += more.bytes;
  }

  /** Whether a frame of `size` bytes may be sent. */
  covers(size = 1): boolean {
    return this.frames >= 1 && this.bytes >= size;
  }

  /** Uses up the credit of a frame; false if there is too little. */
  take(size: number): boolean {
    if (!this.covers(size)) return false;
    this.frames -= 1;
    this.bytes -= size;
    return true;
  }
}
