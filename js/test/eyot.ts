/** The package from its sources, with the Wasm that is built: what the tests of this folder use. */
import { readFile } from "node:fs/promises";
import { FolderStore } from "../src/storage/folder-store.js";
import { findRtc } from "../src/peers/node-rtc.js";
import { openOn } from "../src/space/open.js";
import type { Space, SpaceOptions } from "../src/space/types.js";

export * from "../src/entries/api.js";

export const WASM = new URL("../wasm/eyot_web_replica_bg.wasm", import.meta.url);

export function openSpace(name: string, options?: SpaceOptions): Promise<Space> {
  return openOn({ wasm: () => readFile(WASM), folders: FolderStore, socket, rtc: findRtc }, name, options);
}

async function socket() {
  const { openSocket } = await import("../src/relays/node-socket.js");
  return openSocket;
}
