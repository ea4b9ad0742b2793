/** The package in browsers and bundlers: the Wasm is fetched from beside this module. */
import { networkHints } from "../relays/network.js";
import { EyotError } from "../base/error.js";
import { openOn } from "../space/open.js";
import type { Space, SpaceOptions } from "../space/types.js";

export * from "./api.js";

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn({ wasm: fetchWasm, network: networkHints }, name, options);
}

async function fetchWasm(): Promise<Response> {
  // Relative to the built module in `dist/`. Bundlers recognise this expression and copy the file.
  const url = new URL("./eyot.wasm", import.meta.url);
  const response = await fetch(url).catch((cause: unknown) => {
    throw new EyotError("wasm", `eyot's WebAssembly cannot be fetched from ${url.href}`, { cause });
  });
  if (response.ok && !response.headers.get("content-type")?.startsWith("text/html")) return response;
  throw new EyotError(
    "wasm",
    `eyot's WebAssembly is not at ${url.href} (${response.ok ? "a page is" : `status ${response.status}`}): ` +
      "serve dist/eyot.wasm of the package there, or use eyot/slim",
  );
}
