/** The package from its sources, with the Wasm that is built: what the tests of this folder use. */
import { readFile } from "node:fs/promises";
import { DirectoryStore } from "../src/directory.js";
import { openOn } from "../src/open.js";
import type { Space, SpaceOptions } from "../src/types.js";

export * from "../src/api.js";

export const WASM = new URL("../wasm/eyot_web_bg.wasm", import.meta.url);

export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn(
    { wasm: () => readFile(WASM), openDirectory: (path) => DirectoryStore.open(path), socket },
    name,
    options,
  );
}

async function socket() {
  const { openSocket } = await import("../src/socket.js");
  return openSocket;
}
