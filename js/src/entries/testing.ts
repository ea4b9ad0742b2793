/** Relays in this process, for tests of applications in browsers and bundlers. */
import { EyotError, messageOf } from "../base/error.js";
import { Network } from "../testing/network.js";
import type { TestNetwork, TestNetworkOptions } from "../testing/types.js";
import { openSpace } from "./index.js";

export type { Keys } from "../access/keys.js";
export type * from "../testing/types.js";

/** Makes a network of relays in this process. */
export function testNetwork(options?: TestNetworkOptions): TestNetwork {
  return new Network(options, { openSpace, module });
}

async function module(): Promise<WebAssembly.Module> {
  try {
    // Relative to the built module in `dist/`. Bundlers recognise this expression and copy the file.
    return await WebAssembly.compileStreaming(fetch(new URL("./eyot-relay.wasm", import.meta.url)));
  } catch (cause) {
    throw new EyotError("wasm", `the relay's WebAssembly cannot be used: ${messageOf(cause)}`, { cause });
  }
}
