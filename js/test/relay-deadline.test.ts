/** When a relay wants to be called, which its host asks for. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { MemoryStore } from "../src/host/memory-store.js";
import { RelayEngine, startInstance } from "../src/host/instance.js";
import { platformClock, useClock } from "../src/base/clock.js";

it("a relay that was called in time, and has nothing more to do, wants no further call", async () => {
  startInstance(await WebAssembly.compile(await readFile(new URL("../wasm/eyot_web_relay_bg.wasm", import.meta.url))));
  let now = 1_000_000;
  useClock({ ...platformClock, now: () => now });
  const relay = new RelayEngine({
    space: "test",
    region: "eu",
    peers: [],
    seed: new Uint8Array(32),
    store: new MemoryStore(),
  });
  relay.start();
  relay.opened(1);
  // Whoever has come and says nothing is shown out.
  now = relay.deadline()!;
  const outputs = relay.timer();
  assert.ok(outputs.some((output) => "code" in output));
  assert.equal(relay.deadline(), undefined);
});
