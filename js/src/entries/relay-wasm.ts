/** The Wasm of relays in Node: read from beside the built module, in `dist/`. */
import { EyotError, messageOf } from "../base/error.js";

let compiled: Promise<WebAssembly.Module> | undefined;

export function readRelayWasm(): Promise<WebAssembly.Module> {
  return (compiled ??= read());
}

async function read(): Promise<WebAssembly.Module> {
  const { readFile } = await import("node:fs/promises");
  try {
    return await WebAssembly.compile(await readFile(new URL("./eyot-relay.wasm", import.meta.url)));
  } catch (cause) {
    throw new EyotError("wasm", `the relay's WebAssembly cannot be used: ${messageOf(cause)}`, { cause });
  }
}
