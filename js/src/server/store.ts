/**
 * All spaces of a relay in one SQLite database. What is written in one turn of the event loop is one transaction, with one
 * wait for the disk at its end. What depends on it happens after that.
 */
import { statSync } from "node:fs";
import type { StoreScan, StoreWrite, SyncStore } from "../host/instance.js";
import type { Database, OpenDatabase, Statement } from "./sqlite.js";

/** Of the tables. A database of another layout is not opened. */
const LAYOUT = 1;

export class Stores {
  readonly #database: Database;
  readonly #failed: (error: unknown) => void;
  readonly #get: Statement;
  readonly #scan: Statement;
  readonly #put: Statement;
  readonly #delete: Statement;
  readonly #path: string;
  /** Which file it is: its number in the file system. */
  readonly #file: number;
  /** What waits for the end of the transaction that is open. */
  #waiting: (() => void)[] | undefined;
  #isOver = false;

  /** `failed`: the database can't be written to any more. Nothing that came since is stored, and nobody was told that it is. */
  constructor(open: OpenDatabase, path: string, failed: (error: unknown) => void) {
    this.#failed = failed;
    const database = (this.#database = open(path));
    try {
      // Whoever has it open keeps everybody else out, also while nothing is written.
      database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      database.exec("BEGIN IMMEDIATE");
      const { user_version: layout } = database.prepare("PRAGMA user_version").get()!;
      if (layout !== 0 && layout !== LAYOUT) throw new Error("it was made by another version of eyot");
      database.exec(`
        CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE IF NOT EXISTS kv (space INTEGER NOT NULL, k BLOB NOT NULL, v BLOB NOT NULL, PRIMARY KEY (space, k)) WITHOUT ROWID;
        PRAGMA user_version = ${LAYOUT};
        COMMIT`);
    } catch (error) {
      database.close();
      throw error;
    }
    this.#path = path;
    this.#file = statSync(path).ino;
    this.#get = database.prepare("SELECT v FROM kv WHERE space = ? AND k = ?");
    this.#scan = database.prepare("SELECT k, v FROM kv WHERE space = ? AND k >= ? AND k < ? ORDER BY k");
    this.#put = database.prepare("INSERT OR REPLACE INTO kv (space, k, v) VALUES (?, ?, ?)");
    this.#delete = database.prepare("DELETE FROM kv WHERE space = ? AND k = ?");
  }

  /** What is kept by that name beside spaces: the same text each time, from the first one on. */
  constant(name: string, first: () => string): string {
    const found = this.#database.prepare("SELECT value FROM meta WHERE name = ?").get(name);
    if (found !== undefined) return found["value"] as string;
    const value = first();
    this.#database.prepare("INSERT INTO meta (name, value) VALUES (?, ?)").run(name, value);
    return value;
  }

  /** The names of all spaces. */
  spaces(): string[] {
    return [...this.#database.prepare("SELECT name FROM spaces").iterate()].map(({ name }) => name as string);
  }

  /** The store of a space. */
  store(space: string): SyncStore {
    let id = this.#idOf(space);
    return {
      get: (keys) => keys.map((key) => (id === undefined ? undefined : this.#value(id, key))),
      scan: (from, to, bytesMax) => {
        const scan: StoreScan = { keys: [], values: [], more: false };
        let bytes = 0;
        if (id === undefined) return scan;
        for (const { k, v } of this.#scan.iterate(id, from, to)) {
          if (bytes > bytesMax) return { ...scan, more: true };
          bytes += (v as Uint8Array).length;
          scan.keys.push(bytesOf(k));
          scan.values.push(bytesOf(v));
        }
        return scan;
      },
      write: (batch) => {
        this.#begin();
        // A space is made by its first write.
        id ??= this.#make(space);
        return this.#write(id, batch);
      },
    };
  }

  /** Calls this once all that was written until now is on disk. */
  afterWrites(then: () => void): void {
    if (this.#waiting === undefined) then();
    else this.#waiting.push(then);
  }

  /** Calls this once, when everything that is written is on disk: what it reads is durable. */
  whenDurable(then: () => void): void {
    this.afterWrites(() => (this.#waiting === undefined ? then() : this.whenDurable(then)));
  }

  /** Writes what is under way. */
  close(): void {
    this.#commit();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#database.close();
  }

  #write(id: number, { guardKey, guardValue, puts, deletes }: StoreWrite): boolean {
    if (guardKey !== undefined && !isSame(this.#value(id, guardKey), guardValue)) return false;
    try {
      for (const key of deletes) this.#delete.run(id, key);
      for (const [key, value] of puts) this.#put.run(id, key, value);
      return true;
    } catch (error) {
      // Part of it is written: none of the transaction may stay.
      this.#fail(error);
      throw error;
    }
  }

  #begin(): void {
    if (this.#isOver) throw new Error("the database is closed");
    if (this.#waiting !== undefined) return;
    this.#database.exec("BEGIN IMMEDIATE");
    this.#waiting = [];
    setImmediate(() => this.#commit());
  }

  #commit(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#isOver) return;
    try {
      this.#database.exec("COMMIT");
      this.#check();
    } catch (error) {
      return this.#fail(error);
    }
    this.#waiting = undefined;
    for (const then of waiting) then();
  }

  /** A file that was deleted can still be written to, and nobody will ever read that. */
  #check(): void {
    const now = statSync(this.#path, { throwIfNoEntry: false });
    if (now?.ino !== this.#file) throw new Error("it was deleted or replaced while this relay was running");
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    for (const end of [() => this.#database.exec("ROLLBACK"), () => this.#database.close()]) {
      try {
        end();
      } catch {
        // Nothing is under way any more, or it can't be undone: it is gone with the process.
      }
    }
    this.#failed(error);
  }

  #value(id: number, key: Uint8Array): Uint8Array | undefined {
    const found = this.#get.get(id, key);
    return found === undefined ? undefined : bytesOf(found["v"]);
  }

  #idOf(space: string): number | undefined {
    return this.#database.prepare("SELECT id FROM spaces WHERE name = ?").get(space)?.["id"] as number | undefined;
  }

  #make(space: string): number {
    const known = this.#idOf(space);
    if (known !== undefined) return known;
    this.#database.prepare("INSERT INTO spaces (name) VALUES (?)").run(space);
    return this.#idOf(space)!;
  }
}

/** Bytes that are nobody else's. */
function bytesOf(value: unknown): Uint8Array {
  return new Uint8Array(value as Uint8Array);
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
