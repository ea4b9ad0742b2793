/**
 * The Wasm instance that all relays of this process share. This is the only file that imports the bindings of the relay
 * engine.
 */
import {
  __wbg_reset_state,
  changesPage,
  initSync,
  type RelayClaims,
  RelayEngine,
  type RelayOutput,
  setClock,
  type StoreScan,
  type StoreWrite,
  type SyncStore,
} from "../../wasm/eyot_web_relay.js";
import { clock } from "../base/clock.js";

export {
  changesPage,
  RelayEngine,
  type RelayClaims,
  type RelayOutput,
  type StoreScan,
  type StoreWrite,
  type SyncStore,
};

/** Number of the current instance: how many have failed so far. */
let current = 0;

/** Starts the Wasm unless it runs. Returns the number of the instance. */
export function startInstance(module: WebAssembly.Module): number {
  initSync({ module });
  setClock(clock);
  return current;
}

/** Declares an instance dead: after a trap, neither its memory nor any relay in it can be trusted. */
export function failInstance(instance: number): void {
  if (instance !== current) return;
  current += 1;
  __wbg_reset_state();
}
