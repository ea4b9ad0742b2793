/** Where a replica keeps its log: the kinds of storage that an application can choose from. */
import { checkName, optionsOf } from "../base/check.js";
import { invalid } from "../base/error.js";
import type { AsyncStore } from "./store.js";

/** The longest name of a database, in bytes. */
const NAME_BYTES_MAX = 1_024;

/** What `indexedDb`, `memory`, `directory` and `customStore` return. */
export interface Storage {
  readonly kind: string;
}

/** The IndexedDB of the page's origin, shared by all its tabs. */
export function indexedDb(options?: { database?: string | undefined }): Storage {
  const { database } = optionsOf<{ database?: string }>("indexedDb()", options, ["database"]);
  if (database !== undefined) checkName("the name of a database", database, NAME_BYTES_MAX);
  return new StorageChoice({ kind: "indexedDb", database });
}

/** Memory: everything is lost when the process ends. */
export function memory(): Storage {
  return new StorageChoice({ kind: "memory" });
}

/**
 * A folder, in Node, Deno and Bun, for any number of spaces: each has a folder of its own in it. One process at a time can
 * have a space open there.
 */
export function directory(path: string): Storage {
  if (typeof path !== "string" || path === "") throw invalid("directory() takes the path of a folder");
  return new StorageChoice({ kind: "directory", path });
}

/** A store of your own, for one space. It is opened and closed together with the space. */
export function customStore(open: () => AsyncStore | Promise<AsyncStore>): Storage {
  if (typeof open !== "function") throw invalid("customStore() takes a function that opens the store");
  return new StorageChoice({ kind: "custom", open });
}

export type ChosenStorage =
  | { kind: "memory" }
  | { kind: "indexedDb"; database: string | undefined }
  | { kind: "directory"; path: string }
  | { kind: "custom"; open: () => AsyncStore | Promise<AsyncStore> };

/** What the functions above return. Other objects are refused as `storage`. */
export class StorageChoice implements Storage {
  constructor(readonly chosen: ChosenStorage) {}

  get kind(): string {
    return this.chosen.kind;
  }
}
