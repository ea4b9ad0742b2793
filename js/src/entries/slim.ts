/** The package for applications that provide the Wasm themselves: as bytes, response, address or compiled module. */
import { networkHints } from "../relays/network.js";
import { EyotError, invalid } from "../base/error.js";
import { openOn } from "../space/open.js";
import type { WasmSource } from "../engine/wasm-source.js";
import type { Space, SpaceOptions } from "../space/types.js";

export * from "./api.js";

let given: (() => WasmSource | Promise<WasmSource>) | undefined;

/** Sets what the engine is made from. Call it before the first `openSpace`. `eyot/wasm` is the file. */
export function initialize(source: WasmSource | URL | string | Promise<WasmSource>): void {
  const isSource = typeof source === "string" ? source !== "" : typeof source === "object" && source !== null;
  if (!isSource) throw invalid("initialize() takes the bytes, response, address or compiled module of eyot/wasm");
  given = () => (typeof source === "string" || source instanceof URL ? fetch(source) : source);
}

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export async function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  if (given === undefined) throw new EyotError("wasm", "eyot/slim needs initialize() first");
  return openOn({ wasm: given, network: networkHints }, name, options);
}
