/** The package in browsers and bundlers: the Wasm is a file beside this one. */
import { networkHints } from "./browser.js";
import { EyotError } from "./error.js";
import { openOn } from "./open.js";
import type { Space, SpaceOptions } from "./types.js";

export * from "./api.js";

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn({ wasm: fetchWasm, network: networkHints }, name, options);
}

async function fetchWasm(): Promise<Response> {
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
