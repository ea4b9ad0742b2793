/**
 * Traps in a callback, of the kind that the argument names, and prints what the application gets to see. A program of its
 * own: the engine is shared by a process.
 */
import binaryen from "binaryen";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocketServer, type WebSocket } from "ws";
import { openSocket } from "../src/relays/node-socket.js";
import { FolderStore } from "../src/storage/folder-store.js";
import { openOn } from "../src/space/open.js";
import { customStore, EyotError, memory, WASM, type AsyncStore } from "./eyot.js";

/** The export that makes the engine trap in the next callback, in place of what it does. */
const ARMS = "engine_heads";
const CALLBACKS = "wasm_bindgen__convert__closures";

const kind = process.argv[2]!;
let thrown = 0;
process.on("unhandledRejection", () => (thrown += 1));
process.on("uncaughtException", () => (thrown += 1));

const timers: (() => void)[] = [];
const { setTimeout } = globalThis;
globalThis.setTimeout = ((run: () => void, ...rest: unknown[]) => {
  timers.push(run);
  return (setTimeout as (...all: unknown[]) => unknown)(run, ...rest);
}) as typeof setTimeout;

const server = new WebSocketServer({ port: 0, handleProtocols: (all) => [...all][0]! });
await once(server, "listening");
const relay = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
const healthy = ((): Promise<Response> => Promise.resolve(new Response("ok"))) as typeof fetch;
globalThis.fetch = healthy;
const connected = once(server, "connection") as Promise<[WebSocket]>;

const folder = await mkdtemp(join(tmpdir(), "eyot-trap-"));
let answer = (): void => undefined;
let hangs = false;
const wasm = armed(await readFile(WASM));
const open = (storage: ReturnType<typeof memory>) =>
  openOn({ wasm: () => wasm, socket: async () => openSocket }, "space", { storage, relays: [relay] });
const space = await open(customStore(async () => slow(await FolderStore.open(folder))));
const [socket] = await connected;
const closed = once(socket, "close");
const doc = await space.named("doc", { n: 0 });
await doc.change((draft) => void (draft.n = 1)).saved;
let told = false;
space.subscribe((status) => (told ||= status.error?.code === "wasm"));
hangs = true;
const waits = [doc.change((draft) => void (draft.n = 2)).saved, space.synced(), space.durable()];

void doc.heads;
if (kind === "storage") answer();
if (kind === "socket") socket.send(new Uint8Array(8));
if (kind === "timer") timers.at(-1)!();
const waiting = [];
for (const wait of waits) waiting.push(await wait.then(() => "resolved", codeOf));
const { state, error } = space.status;
const change = code(() => doc.change((draft) => void (draft.n = 3)));
await closed;
await space.close();

hangs = false;
const again = await open(customStore(() => FolderStore.open(folder)));
const { n } = (await again.named("doc", { n: 0 })).value;
await again.close();
server.close();
await rm(folder, { recursive: true });
console.log(JSON.stringify({ waiting, status: [state, error?.code], told, change, n, thrown }));

/** A store whose answers can be held back. */
function slow(store: AsyncStore): AsyncStore {
  return {
    get: (keys) => store.get(keys),
    scan: (from, to, bytesMax) => store.scan(from, to, bytesMax),
    write: async (batch) => {
      if (hangs) await new Promise<void>((resolve) => (answer = resolve));
      return store.write(batch);
    },
    close: () => store.close(),
  };
}

function armed(bytes: Uint8Array): Uint8Array {
  const module = binaryen.readBinary(bytes);
  module.addGlobal("armed", binaryen.i32, true, module.i32.const(0));
  const exports = Array.from({ length: module.getNumExports() }, (_, at) =>
    binaryen.getExportInfo(module.getExportByIndex(at)),
  );
  for (const { name, value } of exports) {
    if (name === ARMS) {
      const { params, results } = binaryen.getFunctionInfo(module.getFunction(value));
      module.removeFunction(value);
      const arm = module.block(null, [
        module.global.set("armed", module.i32.const(1)),
        module.tuple.make([0, 0, 0, 0].map((zero) => module.i32.const(zero))),
      ]);
      module.addFunction(value, params, results, [], arm);
    } else if (name.startsWith(CALLBACKS)) {
      const inner = `${value}-inner`;
      const { params, results } = binaryen.getFunctionInfo(module.getFunction(value));
      const kinds = binaryen.expandType(params);
      const call = module.call(
        value,
        kinds.map((type, at) => module.local.get(at, type)),
        results,
      );
      const isArmed = module.global.get("armed", binaryen.i32);
      const body = module.block(null, [module.if(isArmed, module.unreachable()), call], results);
      module.addFunction(inner, params, results, [], body);
      module.removeExport(name);
      module.addFunctionExport(inner, name);
    }
  }
  return module.emitBinary();
}

function code(fn: () => unknown): string {
  try {
    fn();
    return "returned";
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof EyotError ? error.code : String(error);
}
