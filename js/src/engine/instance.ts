/**
 * The Wasm instance that all engines of this process share. This is the only file that imports the bindings of the
 * client engine.
 *
 * After a trap or a panic the memory of the instance cannot be trusted, and no engine in it is used again. The next
 * `load` makes a fresh instance.
 */
import init, {
  __wbg_reset_state,
  Engine,
  onFailure,
  setClock,
  type EngineEvent,
  type EngineOptions,
  type EngineStatus,
  type Made,
} from "../../wasm/eyot_web_replica.js";
import { clock } from "../base/clock.js";
import { EyotError, messageOf } from "../base/error.js";
import type { WasmSource } from "./wasm-source.js";

export { Engine, type EngineEvent, type EngineOptions, type EngineStatus, type Made };

let loading: Promise<unknown> | undefined;
let hasFailed = false;
/** Everything that is told when the instance fails. */
export const users = new Set<InstanceUser>();

interface InstanceUser {
  /** The instance has failed, so nothing made by it may be called again. */
  fail(error: EyotError): void;
}

// A trap may come in any call: of ours, of a timer, of a socket, of storage.
onFailure((cause) => {
  hasFailed = true;
  const error = wasmError("eyot's engine has failed; open the space again", cause);
  for (const user of [...users]) user.fail(error);
});

/** Compiles and starts the Wasm, once for all spaces. */
export async function load(source: () => WasmSource | Promise<WasmSource>): Promise<void> {
  if (typeof WebAssembly === "undefined")
    throw new EyotError("wasm", "this platform has no WebAssembly, or forbids it");
  loading ??= Promise.resolve()
    .then(source)
    .then((module_or_path) => init({ module_or_path }));
  try {
    await loading;
  } catch (error) {
    loading = undefined;
    throw error instanceof EyotError ? error : wasmError("eyot's WebAssembly cannot be used", error);
  }
  if (hasFailed) {
    __wbg_reset_state();
    hasFailed = false;
  }
  setClock(clock);
}

function wasmError(what: string, cause: unknown): EyotError {
  return new EyotError("wasm", `${what}: ${messageOf(cause)}`, { cause });
}
