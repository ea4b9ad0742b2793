/** The package in Node, Deno and Bun: the Wasm is read from the file system, and folders can be storage. */
import { EyotError } from "../base/error.js";
import { findRtc } from "../peers/node-rtc.js";
import { openOn } from "../space/open.js";
import type { Space, SpaceOptions } from "../space/types.js";

export * from "./api.js";

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn({ wasm: readWasm, openFolder, socket, rtc: findRtc }, name, options);
}

async function readWasm(): Promise<BufferSource> {
  try {
    const { readFile } = await import("node:fs/promises");
    // Relative to the built module in `dist/`.
    return await readFile(new URL("./eyot.wasm", import.meta.url));
  } catch (cause) {
    const hint = 'a bundler for servers has to leave eyot as it is (Next.js: serverExternalPackages: ["eyot"])';
    throw new EyotError("wasm", `eyot's WebAssembly cannot be read from beside its script: ${hint}`, { cause });
  }
}

async function openFolder(path: string) {
  const { FolderStore } = await import("../storage/folder-store.js");
  return FolderStore.open(path);
}

/** Node 20 has no global `WebSocket`. */
async function socket() {
  if (typeof WebSocket !== "undefined") return undefined;
  const { openSocket } = await import("../relays/node-socket.js");
  return openSocket;
}
