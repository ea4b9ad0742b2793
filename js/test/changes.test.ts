/** Pages of what a relay of the npm package has stored: what they cost, and how many are sent at once. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type AddressInfo, type Socket } from "node:net";
import { it } from "node:test";
import { ChangesFeed } from "../src/host/changes.js";
import { startInstance } from "../src/host/instance.js";
import { MemoryStore } from "../src/host/memory-store.js";
import { httpServer, type Pages } from "../src/server/http.js";

const KIB = 1024;

it("whoever asks too much waits, and others do not", async () => {
  startInstance(await WebAssembly.compile(await readFile(new URL("../wasm/eyot_web_relay_bg.wasm", import.meta.url))));
  const feed = new ChangesFeed();
  const ask = (subject: string, now: number, space = "notes"): number => {
    const claims = { subject, spaces: [], isRelay: false };
    return feed.answer(new MemoryStore(), space, claims, { limit: 1 }, now, 64 * KIB).status;
  };
  // Each page costs 64 KiB at least, which is what may be read in a second; 4 MiB may be at once.
  const statuses = Array.from({ length: 100 }, () => ask("ada", 0));
  assert.deepEqual(statuses.slice(0, 65), Array(65).fill(200));
  assert.deepEqual(new Set(statuses.slice(65)), new Set([429]));
  assert.equal(ask("ben", 0), 200);
  assert.equal(ask("ada", 0, "tasks"), 200);
  assert.deepEqual([ask("ada", 999), ask("ada", 1_000), ask("ada", 1_000)], [429, 200, 429]);
});

it("of many who do not read their page only so many have one, and others are told to come again", async () => {
  const page = { status: 200, body: "x".repeat(10 * KIB * KIB), headers: {} };
  const pages = { isOpen: true, origins: [], peers: [], changes: async () => page } as Partial<Pages> as Pages;
  const server = httpServer(pages).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ask = async (): Promise<[Socket, string]> => {
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /v1/notes/changes HTTP/1.1\r\nhost: relay\r\n\r\n");
    const [first] = (await once(socket, "data")) as [Buffer];
    socket.pause();
    return [socket, first.toString("latin1", 9, 12)];
  };
  const asked: [Socket, string][] = [];
  try {
    for (let count = 0; count < 8; count++) asked.push(await ask());
    assert.deepEqual(
      asked.map(([, status]) => status),
      [...Array(6).fill("200"), "503", "503"],
    );
    asked[0]![0].destroy();
    // The server hears of it a moment later.
    for (let status = ""; status !== "200";) {
      asked.push(await ask());
      status = asked.at(-1)![1];
    }
  } finally {
    for (const [socket] of asked) socket.destroy();
    server.close();
  }
});
