/** Opens the storage that the application chose, in the form that the engine takes. */
import { EyotError, invalid } from "../base/error.js";
import type { EngineOptions } from "../engine/instance.js";
import { StorageChoice, type Storage } from "./choice.js";
import { spaceFolder } from "./space-folder.js";
import type { AsyncStore } from "./store.js";

/** Opens a folder as a store; undefined where the platform has no folders. */
export type OpenFolder = ((path: string) => Promise<AsyncStore>) | undefined;

/** Opens the storage of a space. The default is IndexedDB, or memory where there is none. */
export async function openStorage(
  space: string,
  storage: Storage | undefined,
  openFolder: OpenFolder,
): Promise<EngineOptions["storage"]> {
  if (storage === undefined) return typeof indexedDB === "undefined" ? { kind: "memory" } : { kind: "indexedDb" };
  if (!(storage instanceof StorageChoice)) {
    throw invalid("storage is what indexedDb(), memory(), directory() or customStore() returns");
  }
  const { chosen } = storage;
  switch (chosen.kind) {
    case "memory":
      return chosen;
    case "indexedDb":
      if (typeof indexedDB === "undefined") throw new EyotError("storage", "there is no IndexedDB here");
      return chosen;
    case "directory":
      if (openFolder === undefined) throw new EyotError("storage", "there are no folders here");
      return { kind: "store", store: await openFolder(spaceFolder(chosen.path, space)) };
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
