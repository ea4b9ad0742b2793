/**
 * A store in one folder: a log to which every batch of writes is appended and synced as one record, and
 * an index of it in memory. What a crash cuts short is cut off at the next start; a record is only ever
 * replaced by writing the whole log anew beside it.
 */
import type { FileHandle } from "node:fs/promises";
import * as nodeFiles from "node:fs/promises";
import { join } from "node:path";
import { lockFolder } from "./directory-lock.js";
import { encodeRecord, readLog, RECORD_BYTES_MAX, START, type Change, type Place } from "./directory-log.js";
import { KeyIndex, keyOf, bytesOf } from "./directory-index.js";
import { EyotError } from "./error.js";
import type { AsyncStore, StoreScan, StoreWrite } from "./storage.js";

/** What is used of `node:fs/promises`; tests bring one whose disk fails. */
export type Files = Pick<typeof nodeFiles, "mkdir" | "open" | "rename" | "rm">;

const LOG = "eyot.log";
const LOG_ANEW = "eyot.log.new";
/** A log is written anew once most of it, and at least this much, is garbage. */
const GARBAGE_BYTES_MIN = 4 * 1024 * 1024;
/** Places in the log closer than this are read in one go. */
const GAP_BYTES_MAX = 4 * 1024;
const READ_BYTES_MAX = 4 * 1024 * 1024;

interface Waiting {
  batch: StoreWrite;
  resolve: (written: boolean) => void;
  reject: (error: unknown) => void;
}

export class DirectoryStore implements AsyncStore {
  readonly #folder: string;
  readonly #files: Files;
  readonly #unlock: () => Promise<void>;
  #log: LogFile;
  #index: KeyIndex;
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** Why nothing more can be written. */
  #broken: Error | undefined;
  #closing: Promise<void> | undefined;

  private constructor(folder: string, files: Files, unlock: () => Promise<void>, log: LogFile, index: KeyIndex) {
    this.#folder = folder;
    this.#files = files;
    this.#unlock = unlock;
    this.#log = log;
    this.#index = index;
  }

  static async open(folder: string, files: Files = nodeFiles): Promise<DirectoryStore> {
    await files.mkdir(folder, { recursive: true });
    const unlock = await lockFolder(folder);
    try {
      await files.rm(join(folder, LOG_ANEW), { force: true });
      const { log, index } = await openLog(folder, files);
      return new DirectoryStore(folder, files, unlock, log, index);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  async get(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.#check();
    return this.#read(keys.map((key) => this.#index.get(keyOf(key))));
  }

  async scan(from: Uint8Array, to: Uint8Array, bytesMax: number): Promise<StoreScan> {
    this.#check();
    const { entries, more } = this.#index.range(keyOf(from), keyOf(to), bytesMax);
    const values = await this.#read(entries.map(([, place]) => place));
    return { keys: entries.map(([key]) => bytesOf(key)), values: values as Uint8Array[], more };
  }

  write(batch: StoreWrite): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#check();
      this.#queue.push({ batch, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#writing;
    await this.#log.retire();
    await this.#unlock();
  }

  #check(): void {
    if (this.#closing !== undefined) throw new EyotError("closed", "the store is closed");
  }

  async #read(places: readonly (Place | undefined)[]): Promise<(Uint8Array | undefined)[]> {
    return this.#log.read(places);
  }

  async #writeAll(): Promise<void> {
    // One turn later, whatever was asked for at once is there and shares one record and one sync.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = takeGroup(this.#queue);
      try {
        if (this.#broken !== undefined) throw this.#broken;
        const written = await this.#writeGroup(group);
        group.forEach(({ resolve }, index) => resolve(written[index] ?? false));
        await this.#compactIfWorthIt();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    // At once, so that no write can come between this and the last look at the queue.
    this.#writing = undefined;
  }

  /** Guards see what the batches before them in the group have written. */
  async #writeGroup(group: readonly Waiting[]): Promise<boolean[]> {
    const ahead = new Map<string, Uint8Array | undefined>();
    const written: boolean[] = [];
    const changes: Change[] = [];
    for (const { batch } of group) {
      const holds = await this.#guardHolds(batch, ahead);
      written.push(holds);
      if (!holds) continue;
      for (const key of batch.deletes) {
        changes.push({ key });
        ahead.set(keyOf(key), undefined);
      }
      for (const [key, value] of batch.puts) {
        changes.push({ key, value });
        ahead.set(keyOf(key), value);
      }
    }
    if (changes.length > 0) this.#index.apply(await this.#append(changes));
    return written;
  }

  async #guardHolds(batch: StoreWrite, ahead: ReadonlyMap<string, Uint8Array | undefined>): Promise<boolean> {
    if (batch.guardKey === undefined) return true;
    const key = keyOf(batch.guardKey);
    const [stored] = ahead.has(key) ? [ahead.get(key)] : await this.#read([this.#index.get(key)]);
    const { guardValue } = batch;
    if (stored === undefined || guardValue === undefined) return stored === guardValue;
    return Buffer.compare(stored, guardValue) === 0;
  }

  async #append(changes: readonly Change[]): Promise<[string, Place | undefined][]> {
    const { bytes, places } = encodeRecord(changes, this.#log.size);
    try {
      await this.#log.append(bytes);
    } catch (error) {
      await this.#takeBack(error);
      throw error;
    }
    return places;
  }

  /** A record that failed half-way must not stay in the way of the next. */
  async #takeBack(cause: unknown): Promise<void> {
    try {
      await this.#log.cut();
    } catch {
      this.#broken = new EyotError("storage", "the log could not be repaired after a failed write", { cause });
    }
  }

  async #compactIfWorthIt(): Promise<void> {
    const garbage = this.#log.size - this.#index.bytes;
    if (garbage < GARBAGE_BYTES_MIN || garbage < this.#index.bytes) return;
    const path = join(this.#folder, LOG_ANEW);
    try {
      const { log, index } = await this.#copyTo(path);
      await this.#files.rename(path, join(this.#folder, LOG));
      const old = this.#log;
      this.#log = log;
      this.#index = index;
      await syncFolder(this.#folder, this.#files);
      await old.retire();
    } catch {
      // The log is as good as before, only larger: there is not the room for a second one now.
      await this.#files.rm(path, { force: true }).catch(() => undefined);
    }
  }

  async #copyTo(path: string): Promise<{ log: LogFile; index: KeyIndex }> {
    const log = new LogFile(await this.#files.open(path, "w+"), 0);
    const index = new KeyIndex();
    try {
      await log.append(START);
      for (const entries of this.#index.chunks(READ_BYTES_MAX)) {
        const values = await this.#read(entries.map(([, place]) => place));
        const changes = entries.map(([key], at): Change => ({ key: bytesOf(key), value: values[at]! }));
        const { bytes, places } = encodeRecord(changes, log.size);
        await log.append(bytes);
        index.apply(places);
      }
      return { log, index };
    } catch (error) {
      await log.retire();
      throw error;
    }
  }
}

/** An open log. Its file is closed once it was retired and nobody reads it any more. */
class LogFile {
  readonly #file: FileHandle;
  size: number;
  #readers = 0;
  #retired: (() => void) | undefined;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.size + done);
      done += bytesWritten;
    }
    await this.#file.datasync();
    this.size += bytes.length;
  }

  async cut(): Promise<void> {
    await this.#file.truncate(this.size);
    await this.#file.datasync();
  }

  async read(places: readonly (Place | undefined)[]): Promise<(Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = places.map(() => undefined);
    this.#readers += 1;
    try {
      for (const run of runsOf(places)) {
        const bytes = await this.#readAt(run.start, run.end - run.start);
        for (const { place, index } of run.wanted) {
          const start = place.start - run.start;
          // A copy: what is handed out must not keep the whole run in memory.
          values[index] = new Uint8Array(bytes.subarray(start, start + place.length));
        }
      }
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) this.#retired?.();
    }
    return values;
  }

  async #readAt(start: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, start + done);
      if (bytesRead === 0) throw new EyotError("corrupt", "the log is shorter than it was");
      done += bytesRead;
    }
    return bytes;
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

/** Neighbouring places, to be read together. */
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

function takeGroup(queue: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  while (count < queue.length) {
    for (const [key, value] of queue[count]!.batch.puts) bytes += key.length + value.length;
    if (count > 0 && bytes > RECORD_BYTES_MAX) break;
    count += 1;
  }
  return queue.splice(0, count);
}

async function openLog(folder: string, files: Files): Promise<{ log: LogFile; index: KeyIndex }> {
  const path = join(folder, LOG);
  const file = await files.open(path, "r+").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return files.open(path, "w+");
    throw error;
  });
  try {
    const index = new KeyIndex();
    const { end, size } = await readLog(file, (places) => index.apply(places));
    const log = new LogFile(file, end);
    if (end < size) await log.cut();
    if (end === 0) {
      await log.append(START);
      await syncFolder(folder, files);
    }
    return { log, index };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A new name is on disk only once its folder is. */
async function syncFolder(folder: string, files: Files): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await files.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
