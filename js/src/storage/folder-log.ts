/**
 * The log of a folder and the index of its newest values. Each append is one record, synced to disk. A log that is
 * mostly garbage is replaced by a compacted copy.
 */
import * as nodeFiles from "node:fs/promises";
import { join } from "node:path";
import { EyotError } from "../base/error.js";
import { bytesOf, KeyIndex, keyOf } from "./key-index.js";
import { LogFile } from "./log-file.js";
import { encodeRecord, readLog, START, type Change } from "./log-record.js";
import type { StoreScan } from "./store.js";

/** The part of `node:fs/promises` that is used. Tests pass one that simulates a failing disk. */
export type Files = Pick<typeof nodeFiles, "mkdir" | "open" | "rename" | "rm">;

const LOG = "eyot.log";
/** The compacted copy while it is being written. */
const LOG_COPY = "eyot.log.new";
/** A log is compacted once it has this much garbage, and more garbage than data. */
const GARBAGE_BYTES_MIN = 4 * 1024 * 1024;
const COPY_BYTES_MAX = 4 * 1024 * 1024;

export class FolderLog {
  readonly #folder: string;
  readonly #files: Files;
  #file: LogFile;
  #index: KeyIndex;
  /** Why nothing more can be written. */
  broken: Error | undefined;
  /** The log has taken the place of another, and a crash may undo that until the folder is synced. */
  #isMoved = false;

  private constructor(folder: string, files: Files, file: LogFile, index: KeyIndex) {
    this.#folder = folder;
    this.#files = files;
    this.#file = file;
    this.#index = index;
  }

  static async open(folder: string, files: Files): Promise<FolderLog> {
    await files.rm(join(folder, LOG_COPY), { force: true });
    const path = join(folder, LOG);
    const handle = await files.open(path, "r+").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return files.open(path, "w+");
      throw error;
    });
    try {
      const index = new KeyIndex();
      const { end, size } = await readLog(handle, (places) => index.apply(places));
      const file = new LogFile(handle, end);
      if (end < size) await file.cut();
      if (end === 0) await file.append(START);
      // Also where the log was there: whoever made it may have ended before this.
      await syncFolder(folder, files);
      return new FolderLog(folder, files, file, index);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Removes the log of a folder that nobody has open. */
  static async remove(folder: string, files: Files): Promise<void> {
    for (const name of [LOG, LOG_COPY]) await files.rm(join(folder, name), { force: true });
    await syncFolder(folder, files);
  }

  get(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#file.read(keys.map((key) => this.#index.get(keyOf(key))));
  }

  async scan(from: Uint8Array, to: Uint8Array, bytesMax: number): Promise<StoreScan> {
    const { entries, more } = this.#index.range(keyOf(from), keyOf(to), bytesMax);
    const values = await this.#file.read(entries.map(([, place]) => place));
    return { keys: entries.map(([key]) => bytesOf(key)), values: values as Uint8Array[], more };
  }

  async append(changes: readonly Change[]): Promise<void> {
    await this.#settle();
    const { bytes, places } = encodeRecord(changes, this.#file.size);
    try {
      await this.#file.append(bytes);
    } catch (error) {
      await this.#undoAppend(error);
      throw error;
    }
    this.#index.apply(places);
  }

  async compactIfUseful(): Promise<void> {
    const garbage = this.#file.size - this.#index.bytes;
    if (garbage < GARBAGE_BYTES_MIN || garbage < this.#index.bytes) return;
    const path = join(this.#folder, LOG_COPY);
    let copy: { file: LogFile; index: KeyIndex } | undefined;
    try {
      copy = await this.#copyTo(path);
      await this.#files.rename(path, join(this.#folder, LOG));
    } catch {
      // The disk may have no room for a second log. The first is still in use and only larger than it need be.
      await copy?.file.retire().catch(() => undefined);
      await this.#files.rm(path, { force: true }).catch(() => undefined);
      return;
    }
    const old = this.#file;
    this.#file = copy.file;
    this.#index = copy.index;
    this.#isMoved = true;
    await old.retire().catch(() => undefined);
    // Where it fails, the next write tries again, and fails with it.
    await this.#settle().catch(() => undefined);
  }

  async #settle(): Promise<void> {
    if (!this.#isMoved) return;
    await syncFolder(this.#folder, this.#files);
    this.#isMoved = false;
  }

  close(): Promise<void> {
    return this.#file.retire();
  }

  /** Removes what a failed append has written, so that the next record does not come after a broken one. */
  async #undoAppend(cause: unknown): Promise<void> {
    try {
      await this.#file.cut();
    } catch {
      this.broken = new EyotError("storage", "the log could not be repaired after a failed write", { cause });
    }
  }

  async #copyTo(path: string): Promise<{ file: LogFile; index: KeyIndex }> {
    const file = new LogFile(await this.#files.open(path, "w+"), 0);
    const index = new KeyIndex();
    try {
      await file.append(START);
      for (const entries of this.#index.chunks(COPY_BYTES_MAX)) {
        const values = await this.#file.read(entries.map(([, place]) => place));
        const changes = entries.map(([key], at): Change => ({ key: bytesOf(key), value: values[at]! }));
        const { bytes, places } = encodeRecord(changes, file.size);
        await file.append(bytes);
        index.apply(places);
      }
      return { file, index };
    } catch (error) {
      await file.retire();
      throw error;
    }
  }
}

/** A new or renamed file survives a crash only once its folder is synced too. */
async function syncFolder(folder: string, files: Files): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await files.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
