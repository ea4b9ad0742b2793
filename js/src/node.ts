/** The package in Node, Deno and Bun: the Wasm is read from the file system, and folders can be storage. */
import type { EngineOptions } from "./engine.js";
import { EyotError } from "./error.js";
import { openOn } from "./open.js";
import type { AsyncStore } from "./storage.js";
import type { Space, SpaceOptions } from "./types.js";

export * from "./api.js";

/** Opens a space. Works offline at once: what storage holds is readable as soon as this resolves. */
export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn({ wasm: readWasm, openDirectory, socket }, name, options);
}

async function readWasm(): Promise<BufferSource> {
  const { readFile } = await import("node:fs/promises");
  const url = new URL("./eyot.wasm", import.meta.url);
  return readFile(url).catch((cause: unknown) => {
    throw new EyotError("wasm", `eyot's WebAssembly cannot be read from ${url.href}`, { cause });
  });
}

async function openDirectory(path: string): Promise<AsyncStore> {
  const { DirectoryStore } = await import("./directory.js");
  return DirectoryStore.open(path);
}

/** Node 20 has no WebSocket of its own. */
async function socket(): Promise<EngineOptions["connect"]> {
  if (typeof WebSocket !== "undefined") return undefined;
  const { openSocket } = await import("./socket.js");
  return openSocket;
}
