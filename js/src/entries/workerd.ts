/** The package in Cloudflare's `workerd`, which compiles the Wasm itself. */
// The build leaves this path as it is: relative to the built module in `dist/`.
import wasm from "./eyot.wasm";
import { openOn } from "../space/open.js";
import type { Space, SpaceOptions } from "../space/types.js";

export * from "./api.js";

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn({ wasm: () => wasm }, name, options);
}
