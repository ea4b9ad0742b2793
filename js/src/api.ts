/** What every entry of this package exports. */
export { EyotError } from "./error.js";
export { splice } from "./record.js";
export { customStore, directory, indexedDb, memory } from "./storage.js";
export type { AsyncStore, StoreScan, StoreWrite } from "./storage.js";
export { AtomicString, Counter } from "./value.js";
export type * from "./types.js";
