/**
 * The package in browsers and bundlers: the Wasm is fetched from beside this module.
 * @module eyot
 */
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
  const url = wasmUrl();
  const response = await fetch(url).catch((cause: unknown) => {
    throw new EyotError("wasm", `eyot's WebAssembly cannot be fetched from ${url.href}${remedy(url)}`, { cause });
  });
  if (response.ok && !response.headers.get("content-type")?.startsWith("text/html")) return response;
  throw new EyotError(
    "wasm",
    `eyot's WebAssembly is not at ${url.href} (${response.ok ? "a page is" : `status ${response.status}`})${remedy(url)}`,
  );
}

function wasmUrl(): URL {
  try {
    // Relative to the built module in `dist/`. Bundlers recognise this expression and copy the file.
    return new URL("./eyot.wasm", import.meta.url);
  } catch (cause) {
    const message = "eyot cannot tell where its WebAssembly is, as this bundle is no ES module: use eyot/slim";
    throw new EyotError("wasm", message, { cause });
  }
}

/** What to do about a file that is not where it should be. */
function remedy({ pathname }: URL): string {
  // Vite's dev server moves the script of a package here, and none of its other files.
  if (/\/\.vite\/deps/.test(pathname)) {
    return ': Vite before version 8 needs optimizeDeps: { exclude: ["eyot"] } in its configuration';
  }
  return ": put dist/eyot.wasm of the package there, which some bundlers do not, or use eyot/slim";
}
