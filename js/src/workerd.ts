/** The package in Cloudflare's workerd: the Wasm comes compiled. */
import wasm from "./eyot.wasm";
import { openOn } from "./open.js";
import type { Space, SpaceOptions } from "./types.js";

export * from "./api.js";

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn({ wasm: () => wasm }, name, options);
}
