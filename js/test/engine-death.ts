/**
 * Opens spaces on an engine of which one function traps, as it would after a failed assertion, and
 * prints what the application gets to see, once the other end of a port has seen it, too. A program of its own: the engine
 * is shared by a process.
 */
import binaryen from "binaryen";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { FolderStore } from "../src/storage/folder-store.js";
import { openOn } from "../src/space/open.js";
import type { SpaceOptions } from "../src/space/types.js";
import { directory, EyotError, memory, WASM } from "./eyot.js";

const TRAPS = "engine_heads";

const folder = await mkdtemp(join(tmpdir(), "eyot-death-"));
let unhandled = 0;
process.on("unhandledRejection", () => (unhandled += 1));
const wasm = trapping(await readFile(WASM));
const open = (name: string, options: SpaceOptions) => openOn({ wasm: () => wasm, folders: FolderStore }, name, options);

// It takes requests and links, and never answers.
const silent = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
await once(silent, "listening");
const host = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
const asked = once(silent, "connection");
const space = await open("one", { storage: directory(folder), relays: [`ws://${host}/a`, `ws://${host}/b`] });
const other = await open("two", { storage: memory(), relays: { directory: `http://${host}` } });
await asked;
const { port1, port2 } = new MessageChannel();
// A port closes once it has been read.
const parted = once(
  port2.on("message", () => undefined),
  "close",
);
space.connect(port1 as unknown as MessagePort);
const doc = await space.named("doc", { n: 0 });
await doc.change((draft) => void (draft.n = 1)).saved;
let told = false;
space.subscribe((status) => (told ||= status.error?.code === "wasm"));
const waits = [
  space.synced(),
  doc.change((draft) => void (draft.n = 2)).saved,
  space.open("38zjcvr4JvfPhzzhEqjzZqv8vVsn"),
];

const call = code(() => doc.heads);
const waiting = [];
for (const wait of waits) waiting.push(await wait.then(() => "resolved", codeOf));
const dead = space.status;
const found = {
  call,
  waiting,
  status: [dead.state, dead.error?.code],
  told,
  other: code(() => other.create({})),
  later: await space.open(doc.id).then(() => "resolved", codeOf),
};
await parted;
await space.close();
await other.close();
const again = await open("one", { storage: directory(folder) });
const { n } = (await again.named("doc", { n: 0 })).value;
await again.close();
await new Promise((resolve) => setImmediate(resolve));
await rm(folder, { recursive: true });
silent.close();
console.log(JSON.stringify({ ...found, again: { n }, unhandled }));

function trapping(bytes: Uint8Array): Uint8Array {
  const module = binaryen.readBinary(bytes);
  const name = binaryen.getExportInfo(module.getExport(TRAPS)).value;
  const { params, results } = binaryen.getFunctionInfo(module.getFunction(name));
  module.removeFunction(name);
  module.addFunction(name, params, results, [], module.unreachable());
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
