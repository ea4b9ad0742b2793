/** The Wasm of relays on Cloudflare, from a file of its own, which the platform compiles. */

// The build leaves this path as it is: relative to the built module in `dist/`.
import wasm from "./eyot-relay.wasm";
import { startInstance as start } from "../host/instance.js";

export { failInstance, RelayEngine, type RelayClaims, type RelayOutput } from "../host/instance.js";
export type { StoreScan, StoreWrite, SyncStore } from "../host/instance.js";

/** Starts the Wasm unless it runs. Returns the number of the instance. */
export function startInstance(): number {
  return start(wasm);
}
