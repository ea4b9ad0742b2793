/** Opens the storage that the application chose, in the form that the engine takes. */
import { EyotError, invalid } from "../base/error.js";
import type { EngineOptions } from "../engine/instance.js";
import { StorageChoice, type ChosenStorage, type Storage } from "./choice.js";
import { spaceFolder } from "./space-folder.js";
import type { AsyncStore } from "./store.js";

/** Folders as stores, on platforms that have some. */
export interface Folders {
  open(path: string): Promise<AsyncStore>;
  /** Removes what is stored in a folder that nobody has open. */
  remove(path: string): Promise<void>;
}

/** What the application chose. The default is IndexedDB, or memory where there is none. */
export function chosenOf(storage: Storage | undefined): ChosenStorage {
  if (storage === undefined) {
    return typeof indexedDB === "undefined" ? { kind: "memory" } : { kind: "indexedDb", database: undefined };
  }
  if (storage instanceof StorageChoice) return storage.chosen;
  throw invalid("storage is what indexedDb(), memory(), directory() or customStore() returns");
}

/** Opens the storage of a space. */
export async function openStorage(
  space: string,
  storage: Storage | undefined,
  folders: Folders | undefined,
): Promise<EngineOptions["storage"]> {
  const chosen = chosenOf(storage);
  switch (chosen.kind) {
    case "memory":
      return chosen;
    case "indexedDb":
      if (typeof indexedDB === "undefined") throw new EyotError("storage", "there is no IndexedDB here");
      return chosen;
    case "directory":
      if (folders === undefined) throw new EyotError("storage", "there are no folders here");
      return { kind: "store", store: await folders.open(spaceFolder(chosen.path, space)) };
    case "custom":
      return { kind: "store", store: checkStore(await chosen.open()) };
  }
}

const METHODS = ["get", "scan", "write", "close"] as const;

function checkStore(store: AsyncStore): AsyncStore {
  const missing = METHODS.find((name) => typeof (store as Partial<AsyncStore> | undefined)?.[name] !== "function");
  if (missing !== undefined) throw invalid(`what customStore() opens has no method ${missing}`);
  return store;
}
