/**
 * A folder as a store. Batches that are asked for at the same time share one record of the folder's log and one sync.
 * A lock keeps other processes out.
 */
import * as nodeFiles from "node:fs/promises";
import { EyotError } from "../base/error.js";
import { FolderLock } from "./folder-lock.js";
import { FolderLog, type Files } from "./folder-log.js";
import { keyOf } from "./key-index.js";
import { RECORD_BYTES_MAX, type Change } from "./log-record.js";
import type { AsyncStore, StoreScan, StoreWrite } from "./store.js";

interface Waiting {
  batch: StoreWrite;
  resolve: (written: boolean) => void;
  reject: (error: unknown) => void;
}

export class FolderStore implements AsyncStore {
  readonly #log: FolderLog;
  readonly #lock: FolderLock;
  readonly #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(log: FolderLog, lock: FolderLock) {
    this.#log = log;
    this.#lock = lock;
  }

  static async open(folder: string, files: Files = nodeFiles): Promise<FolderStore> {
    await files.mkdir(folder, { recursive: true });
    const lock = await FolderLock.take(folder);
    try {
      return new FolderStore(await FolderLog.open(folder, files), lock);
    } catch (error) {
      await lock.unlock();
      throw error;
    }
  }

  /** Removes what is stored in a folder, and the folder unless it holds something else: other spaces, or files. */
  static async remove(folder: string): Promise<void> {
    const lock = await FolderLock.take(folder);
    try {
      await FolderLog.remove(folder, nodeFiles);
    } finally {
      await lock.unlock();
    }
    await nodeFiles.rmdir(folder).catch(() => undefined);
  }

  async get(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.#check();
    return this.#log.get(keys);
  }

  async scan(from: Uint8Array, to: Uint8Array, bytesMax: number): Promise<StoreScan> {
    this.#check();
    return this.#log.scan(from, to, bytesMax);
  }

  write(batch: StoreWrite): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#check();
      this.#queue.push({ batch, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  closing(): void {
    this.#lock.closing();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.closing();
    try {
      await this.#writing;
      await this.#log.close();
    } finally {
      await this.#lock.unlock();
    }
  }

  #check(): void {
    if (this.#closing !== undefined) throw new EyotError("closed", "the store is closed");
  }

  async #writeAll(): Promise<void> {
    // Waiting for one turn lets all batches that are asked for in this turn join the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = takeGroup(this.#queue);
      try {
        if (this.#log.broken !== undefined) throw this.#log.broken;
        const written = await this.#writeGroup(group);
        group.forEach(({ resolve }, index) => resolve(written[index] ?? false));
        await this.#log.compactIfUseful();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    // In the same turn as the last look at the queue, so that no batch is queued in between and forgotten.
    this.#writing = undefined;
  }

  async #writeGroup(group: readonly Waiting[]): Promise<boolean[]> {
    /** What the earlier batches of the group write: later guards must see it. */
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
    if (changes.length > 0) await this.#log.append(changes);
    return written;
  }

  async #guardHolds(batch: StoreWrite, ahead: ReadonlyMap<string, Uint8Array | undefined>): Promise<boolean> {
    if (batch.guardKey === undefined) return true;
    const key = keyOf(batch.guardKey);
    const [stored] = ahead.has(key) ? [ahead.get(key)] : await this.#log.get([batch.guardKey]);
    const { guardValue } = batch;
    if (stored === undefined || guardValue === undefined) return stored === guardValue;
    return Buffer.compare(stored, guardValue) === 0;
  }
}

/** Takes batches from the front of the queue, as many as fit into one record, and at least one. */
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
