/**
 * Makes the engine fail in a callback, of the kind that the argument names, and prints what the application gets to see. A
 * program of its own: the engine is shared by a process.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocketServer, type WebSocket } from "ws";
import { FolderStore } from "../src/storage/folder-store.js";
import { customStore, EyotError, openSpace, type AsyncStore, type Storage } from "./eyot.js";

const kind = process.argv[2]!;
const thrown: string[] = [];
process.on("unhandledRejection", (error) => thrown.push(String(error)));
process.on("uncaughtException", (error) => thrown.push(String(error)));

// The clock, which the engine asks whenever something comes in, and its timers.
const timers = new Map<NodeJS.Timeout, () => void>();
const { now } = Date;
const { setTimeout } = globalThis;
const { clearTimeout } = globalThis;
globalThis.setTimeout = ((run: () => void, ms: number) => {
  const timer = setTimeout(run, ms);
  if (new Error().stack!.includes("eyot_web_replica")) timers.set(timer, run);
  return timer;
}) as typeof setTimeout;
globalThis.clearTimeout = (timer) => {
  timers.delete(timer as NodeJS.Timeout);
  clearTimeout(timer);
};
const arm = (): void => {
  Date.now = () => {
    Date.now = now;
    throw new WebAssembly.RuntimeError("unreachable");
  };
};

const server = new WebSocketServer({ port: 0, handleProtocols: (all) => [...all][0]! });
await once(server, "listening");
const relay = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
globalThis.fetch = (async () => new Response("ok")) as typeof fetch;
const connected = once(server, "connection") as Promise<[WebSocket]>;

const folder = await mkdtemp(join(tmpdir(), "eyot-trap-"));
const open = (storage: Storage) => openSpace("space", { storage, relays: [relay] });
let answer = (): void => undefined;
let hangs = false;
const space = await open(customStore(async () => slow(await FolderStore.open(folder))));
const [socket] = await connected;
const closed = once(socket, "close");
const doc = await space.named("doc", { n: 0 });
await doc.change((draft) => void (draft.n = 1)).saved;
let told = false;
space.subscribe((status) => (told ||= status.error?.code === "wasm"));
hangs = true;
const waits = [doc.change((draft) => void (draft.n = 2)).saved, space.synced(), space.durable()];

arm();
if (kind === "storage") answer();
if (kind === "socket") socket.send(new Uint8Array(8));
if (kind === "timer") timers.forEach((ring) => ring());
const waiting = [];
for (const wait of waits) waiting.push(await wait.then(() => "resolved", codeOf));
const { state, error } = space.status;
const change = code(() => doc.change((draft) => void (draft.n = 3)));
await closed;
await space.close();

hangs = false;
answer();
const again = await open(customStore(() => FolderStore.open(folder)));
const { n } = (await again.named("doc", { n: 0 })).value;
await again.close();
server.close();
server.clients.forEach((client) => client.terminate());
await rm(folder, { recursive: true });
console.log(JSON.stringify({ waiting, status: [state, error?.code], told, change, n: n > 0, thrown }));

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
