/** What the engines themselves refuse. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import initReplica, { Engine } from "../wasm/eyot_web_replica.js";
import initRelay, { RelayEngine } from "../wasm/eyot_web_relay.js";
import { WASM } from "./eyot.js";

const nothing = (): void => undefined;
const replica: Any = { space: "x", relays: [], storage: { kind: "memory" }, onEvents: nothing, probe: nothing };
const relay: Any = { space: "x", region: "eu", seed: new Uint8Array(32), store: {} };

it("an engine refuses options with a key that it does not know, at any depth", async () => {
  await initReplica({ module_or_path: readFile(WASM) });
  await refuses({ ...replica, key: 1 }, /unknown field `key`/);
  await refuses({ ...replica, storage: { kind: "memory", path: "x" } }, /unknown field `path`/);
  await refuses({ ...replica, storage: { kind: "memory", database: "x" } }, /memory/);
  await refuses({ ...replica, storage: { kind: "disk" } }, /disk/);
  await refuses({ ...replica, relays: [1] }, /expected a string/);
});

it("a relay's engine refuses options with a key that it does not know, at any depth", async () => {
  await initRelay({ module_or_path: readFile(new URL("../wasm/eyot_web_relay_bg.wasm", import.meta.url)) });
  const refuses = (options: Any, message: RegExp): void =>
    assert.throws(() => new RelayEngine(options), { code: "invalid", message });
  refuses({ ...relay, key: 1 }, /unknown field `key`/);
  refuses({ ...relay, caps: { spaceBytesMaximum: 1 } }, /unknown field `spaceBytesMaximum`/);
  refuses({ ...relay, seed: new Uint8Array(31) }, /32 bytes/);
  new RelayEngine({ ...relay, caps: { spaceBytesMax: Infinity, subjectBytesMax: undefined } }).free();
});

async function refuses(options: Any, message: RegExp): Promise<void> {
  await assert.rejects(Engine.open(options), { code: "invalid", message });
}

// Options of the wrong kind are the point of these tests.
type Any = any;
