/** One log as a file on disk: appends with a sync, reads of many places at once, and a close that waits for readers. */
import type { FileHandle } from "node:fs/promises";
import { EyotError } from "../base/error.js";
import type { Place } from "./key-index.js";
import { readAt } from "./read-at.js";

/** Places closer together than this are read in one go. */
const GAP_BYTES_MAX = 4 * 1024;
const READ_BYTES_MAX = 4 * 1024 * 1024;

/** An open log. `retire` closes the file once all reads under way are done. */
export class LogFile {
  readonly #file: FileHandle;
  size: number;
  #readers = 0;
  #retired: (() => void) | undefined;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** Writes at the end and syncs. `size` grows only if both succeed. */
  async append(bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.size + done);
      done += bytesWritten;
    }
    await this.#file.datasync();
    // A deleted file takes writes as long as it is open.
    if ((await this.#file.stat()).nlink === 0) throw new EyotError("storage", "the log was deleted while it was open");
    this.size += bytes.length;
  }

  /** Cuts off what a failed `append` left after the end. */
  async cut(): Promise<void> {
    await this.#file.truncate(this.size);
    await this.#file.datasync();
  }

  /** The values at these places, in the order of the places. */
  async read(places: readonly (Place | undefined)[]): Promise<(Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = places.map(() => undefined);
    this.#readers += 1;
    try {
      for (const run of runsOf(places)) {
        const bytes = await readAt(this.#file, run.start, run.end - run.start);
        for (const { place, index } of run.wanted) {
          const start = place.start - run.start;
          // A copy, because a view would keep the whole run in memory.
          values[index] = new Uint8Array(bytes.subarray(start, start + place.length));
        }
      }
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) this.#retired?.();
    }
    return values;
  }

  async retire(): Promise<void> {
    if (this.#readers > 0) await new Promise<void>((resolve) => (this.#retired = resolve));
    await this.#file.close();
  }
}

interface ReadRun {
  start: number;
  end: number;
  wanted: { place: Place; index: number }[];
}

/** Places that are close to each other, to be read in one go. */
function runsOf(places: readonly (Place | undefined)[]): ReadRun[] {
  const wanted = places.flatMap((place, index) => (place === undefined ? [] : [{ place, index }]));
  wanted.sort((a, b) => a.place.start - b.place.start);
  const runs: ReadRun[] = [];
  for (const want of wanted) {
    const { start, length } = want.place;
    const run = runs[runs.length - 1];
    if (run !== undefined && start - run.end <= GAP_BYTES_MAX && start + length - run.start <= READ_BYTES_MAX) {
      run.end = Math.max(run.end, start + length);
      run.wanted.push(want);
    } else {
      runs.push({ start, end: start + length, wanted: [want] });
    }
  }
  return runs;
}
