/** `eyot/testing` from its sources, with the Wasm that is built. */
import { readFile } from "node:fs/promises";
import { Network } from "../src/testing/network.js";
import type { TestNetwork, TestNetworkOptions } from "../src/testing/types.js";
import { openSpace } from "./eyot.js";

const WASM = new URL("../wasm/eyot_web_relay_bg.wasm", import.meta.url);

export function testNetwork(options?: TestNetworkOptions): TestNetwork {
  const module = async (): Promise<WebAssembly.Module> => WebAssembly.compile(await readFile(WASM));
  return new Network(options, { openSpace, module });
}
