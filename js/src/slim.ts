/** The package where you bring the Wasm yourself: its bytes, its response, its address or the compiled module. */
import { networkHints } from "./browser.js";
import { EyotError } from "./error.js";
import { openOn } from "./open.js";
import type { Space, SpaceOptions, WasmSource } from "./types.js";

export * from "./api.js";

let given: (() => WasmSource | Promise<WasmSource>) | undefined;

/** Says what to make the engine from, before the first space is opened. `eyot/wasm` is the file. */
export function initialize(source: WasmSource | URL | string | Promise<WasmSource>): void {
  given = () => (typeof source === "string" || source instanceof URL ? fetch(source) : source);
}

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export async function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  if (given === undefined) throw new EyotError("wasm", "eyot/slim needs initialize() first");
  return openOn({ wasm: given, network: networkHints }, name, options);
}
