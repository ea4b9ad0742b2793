/** Relays in this process, for tests of applications in Node, Deno and Bun. */
import { readRelayWasm } from "./relay-wasm.js";
import { Network } from "../testing/network.js";
import type { TestNetwork, TestNetworkOptions } from "../testing/types.js";
import { openSpace } from "./node.js";

export type { Keys } from "../access/keys.js";
export type * from "../testing/types.js";

/** Makes a network of relays in this process. */
export function testNetwork(options?: TestNetworkOptions): TestNetwork {
  return new Network(options, { openSpace, module: readRelayWasm });
}
