/** Where a replica keeps its log: the choices, and what a store of one's own must do. */
import { EyotError, invalid } from "./error.js";
import type { Storage } from "./types.js";

/**
 * An ordered map from bytes to bytes, as a replica needs it. Keys are ordered byte by byte; a value has
 * at most 1 MiB. `eyot/conformance` tests one.
 */
export interface AsyncStore {
  get(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /** `from <= key < to`, in order, ending once the values are more than `bytesMax`: at least one entry if there is any. */
  scan(from: Uint8Array, to: Uint8Array, bytesMax: number): Promise<StoreScan>;
  /** Atomic, and durable once it resolves. False: the guard did not hold, and nothing was written. */
  write(batch: StoreWrite): Promise<boolean>;
  close(): Promise<void>;
}

export interface StoreScan {
  keys: Uint8Array[];
  values: Uint8Array[];
  /** There are entries after the last of these. */
  more: boolean;
}

/** Deletes come before puts. */
export interface StoreWrite {
  /** The value at this key must be `guardValue`; undefined means that there must be none. */
  guardKey?: Uint8Array | undefined;
  guardValue?: Uint8Array | undefined;
  puts: [key: Uint8Array, value: Uint8Array][];
  deletes: Uint8Array[];
}

/** The origin's IndexedDB, shared by its tabs. */
export function indexedDb(options: { database?: string } = {}): Storage {
  return new Choice({ kind: "indexedDb", database: options.database });
}

/** Nothing outlives the process. */
export function memory(): Storage {
  return new Choice({ kind: "memory" });
}

/** Node, Deno, Bun: a folder, for one process at a time. */
export function directory(path: string): Storage {
  if (typeof path !== "string" || path === "") throw invalid("directory() takes the path of a folder");
  return new Choice({ kind: "directory", path });
}

/** A store of your own, opened when the space is and closed with it. */
export function customStore(open: () => AsyncStore | Promise<AsyncStore>): Storage {
  return new Choice({ kind: "custom", open });
}

export type EngineStorage =
  { kind: "memory" } | { kind: "indexedDb"; database?: string } | { kind: "store"; store: AsyncStore };

/** Opens what the application chose. `openDirectory` is there where the platform has folders. */
export async function openStorage(
  storage: Storage | undefined,
  openDirectory: ((path: string) => Promise<AsyncStore>) | undefined,
): Promise<EngineStorage> {
  if (storage === undefined) return typeof indexedDB === "undefined" ? { kind: "memory" } : { kind: "indexedDb" };
  if (!(storage instanceof Choice)) {
    throw invalid("storage is what indexedDb(), memory(), directory() or customStore() returns");
  }
  const { is } = storage;
  switch (is.kind) {
    case "memory":
      return { kind: "memory" };
    case "indexedDb":
      if (typeof indexedDB === "undefined") throw new EyotError("storage", "there is no IndexedDB here");
      return is.database === undefined ? { kind: "indexedDb" } : { kind: "indexedDb", database: is.database };
    case "directory":
      if (openDirectory === undefined) throw new EyotError("storage", "there are no folders here");
      return { kind: "store", store: await openDirectory(is.path) };
    case "custom":
      return { kind: "store", store: await is.open() };
  }
}

type Chosen =
  | { kind: "memory" }
  | { kind: "indexedDb"; database: string | undefined }
  | { kind: "directory"; path: string }
  | { kind: "custom"; open: () => AsyncStore | Promise<AsyncStore> };

class Choice implements Storage {
  constructor(readonly is: Chosen) {}

  get kind(): string {
    return this.is.kind;
  }
}
