/** What every entry of this package exports. */
export { EyotError } from "../base/error.js";
export type { ErrorCode } from "../base/error.js";
export type { DocId, DocUrl } from "../base/id.js";
export type { Wait } from "../base/wait.js";
export { mark, move, splice } from "../draft/record.js";
export type { Expand } from "../draft/record.js";
export type { WasmSource } from "../engine/wasm-source.js";
export { customStore, directory, indexedDb, memory } from "../storage/choice.js";
export type { Relays, TokenSource } from "../relays/options.js";
export type { Storage } from "../storage/choice.js";
export type { AsyncStore, StoreScan, StoreWrite } from "../storage/store.js";
export type { Mark, Marks, MarkValue, Patch, Path } from "../value/patch.js";
export { AtomicString, Counter } from "../value/value.js";
export type { Draft, Json, Storable, Value } from "../value/value.js";
export type * from "../space/types.js";
