/** The package in Node, Deno and Bun: the Wasm is read from the file system, and folders can be storage. */
import { EyotError } from "../base/error.js";
import { findRtc } from "../peers/node-rtc.js";
import { openOn } from "../space/open.js";
import type { Space, SpaceOptions } from "../space/types.js";

export * from "./api.js";

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn({ wasm: readWasm, folders, socket, rtc: findRtc }, name, options);
}

async function readWasm(): Promise<BufferSource> {
  const { readFile } = await import("node:fs/promises");
  const { fileURLToPath } = await import("node:url");
  try {
    return await readFile(fileURLToPath(wasmUrl()));
  } catch (cause) {
    // A bundle that was made elsewhere, and brought along what of the package it was told to.
    try {
      return await readFile(`${process.cwd()}/node_modules/eyot/dist/eyot.wasm`);
    } catch {
      const hint = "a bundler for servers has to put dist/eyot.wasm there, or to leave eyot as it is";
      throw new EyotError("wasm", `eyot's WebAssembly cannot be read from beside its script: ${hint}`, { cause });
    }
  }
}

/** Where the file is: beside the built module, in `dist/`. */
function wasmUrl(): string {
  // Bundlers for servers recognise this expression and copy the file. Not all of them give an address that Node can read.
  const { href } = new URL("./eyot.wasm", import.meta.url);
  if (href.startsWith("file:")) return href;
  // Next.js names a copy for browsers, and tells here where the package is.
  const module = import.meta.url;
  return `${module.slice(0, module.lastIndexOf("/"))}/eyot.wasm`;
}

const folders = {
  open: async (path: string) => (await folderStore()).open(path),
  remove: async (path: string) => (await folderStore()).remove(path),
};

async function folderStore() {
  const { FolderStore } = await import("../storage/folder-store.js");
  return FolderStore;
}

/** Node 20 has no global `WebSocket`. */
async function socket() {
  if (typeof WebSocket !== "undefined") return undefined;
  const { openSocket } = await import("../relays/node-socket.js");
  return openSocket;
}
