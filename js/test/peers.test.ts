/** Replicas that link to each other over ports, with no relay. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MessageChannel, Worker, type MessagePort as NodePort } from "node:worker_threads";
import { directory, memory, openSpace, type Space, type SpaceOptions } from "./eyot.js";
import { has, until, write } from "./notes.js";
import { OPEN, TestRelay } from "./relay.js";

const spaces: Space[] = [];
const ports: NodePort[] = [];
afterEach(async () => {
  await Promise.all(spaces.splice(0).map((space) => space.close()));
  for (const port of ports.splice(0)) port.close();
});

describe("two spaces at the ends of a channel", () => {
  it("see what either writes, before and after they are connected, with no relay", async () => {
    const [one, other] = await pair();
    await write(one, "before");
    connect(one, other);
    await has(other, "before");
    await write(other, "after");
    await has(one, "after");
  });

  it("tell of the link", async () => {
    const [one, other] = await pair();
    connect(one, other);
    await write(one, "text");
    await has(other, "text");
    for (const space of [one, other]) {
      const { peers, unsent, synced, state, error } = space.status;
      assert.deepEqual([peers, unsent, synced, state, error], [1, 0, false, "local", undefined]);
      const [{ bytesIn, bytesOut, rttMs, ...link }, ...more] = space.links() as [ReturnType<Space["links"]>[0]];
      assert.deepEqual([link, more], [{ to: "replica", via: "port", right: "write" }, []]);
      assert.ok(bytesIn > 0 && bytesOut > 0 && rttMs >= 0);
    }
    await assert.rejects(one.durable(), { code: "invalid" }, "another replica is no region");
  });

  it("go on where they were, from folders", async () => {
    const folder = await mkdtemp(join(tmpdir(), "eyot-peers-"));
    const open = (name: string) => openOne({ storage: directory(join(folder, name)) });
    try {
      let [one, other] = [await open("one"), await open("other")];
      connect(one, other);
      await write(one, "first");
      await has(other, "first");
      await Promise.all([one.close(), other.close()]);
      [one, other] = [await open("one"), await open("other")];
      await write(other, "second");
      connect(one, other);
      await has(one, "second");
      await Promise.all([one.close(), other.close()]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("pass on what comes from a third", async () => {
    const [one, two, three] = await Promise.all([openOne(), openOne(), openOne()]);
    connect(one, two);
    connect(two, three);
    await write(one, "far");
    await has(three, "far");
    await write(three, "back");
    await has(one, "back");
  });

  it("send a commit of many frames", async () => {
    const [one, other] = await pair();
    connect(one, other);
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const file = new Uint8Array(15 * 60_000).map((_, at) => bytes[at % bytes.length]! + at / bytes.length);
    const doc = await one.named<{ file?: Uint8Array }>("file", {});
    const copy = await other.named<{ file?: Uint8Array }>("file", {});
    doc.change((draft) => void (draft.file = file));
    await new Promise<void>((resolve) => copy.subscribe(({ file }) => file && resolve()));
    assert.deepEqual(copy.value.file, file);
  });

  it("are parted by what connect() returned, and by the end of either", async () => {
    const [one, other, third] = await Promise.all([openOne(), openOne(), openOne()]);
    const part = connect(one, other);
    connect(third, other);
    await until(other, ({ peers }) => peers === 2);
    await until(one, ({ peers }) => peers === 1);
    part();
    part();
    assert.equal(one.links().length, 0);
    await until(other, ({ peers }) => peers === 1);
    await third.close();
    await until(other, ({ peers }) => peers === 0);
    assert.equal(other.status.error, undefined);
  });

  it("are told where they are no replicas of one space", async () => {
    const one = await openOne();
    const other = await openOne({}, "another");
    const part = connect(one, other);
    for (const space of [one, other]) {
      const { error } = await until(space, ({ error }) => error !== undefined);
      assert.equal(error?.code, "denied");
      assert.match(error.message, /another space/);
    }
    part();
    assert.equal(one.status.error, undefined);
    await until(other, ({ error }) => error === undefined);
  });

  it("are in different threads", async () => {
    const worker = new Worker(
      `import("tsx/esm/api").then(({ tsImport }) => tsImport("./peer-worker.ts", ${JSON.stringify(import.meta.url)}))`,
      { eval: true },
    );
    try {
      const { port1, port2 } = new MessageChannel();
      worker.postMessage(port2, [port2]);
      const one = await openOne();
      one.connect(webPort(port1));
      await write(one, "ping");
      await has(one, "pong");
      worker.postMessage("close");
      await until(one, ({ peers }) => peers === 0);
      await once(worker, "exit");
    } finally {
      await worker.terminate();
    }
  });
});

describe("a replica with a relay", () => {
  let relay: TestRelay;
  beforeEach(async () => (relay = await TestRelay.start("eu")));
  afterEach(() => relay.stop());

  const openLinked = () => openOne({ storage: memory(), relays: [relay.address] }, "test");

  it("brings what others write that have none, and brings them what the relay has", async () => {
    const [linked, far] = await Promise.all([openLinked(), openLinked()]);
    const near = await openOne({ storage: memory() }, "test");
    connect(linked, near);
    await write(near, "from near");
    await has(far, "from near");
    await write(far, "from far");
    await has(near, "from far");
    await linked.durable();
    const shown = linked.links().map(({ to, via, region, right }) => [to, via, region, right]);
    assert.deepEqual(shown, [
      ["relay", "websocket", "eu", "write"],
      ["replica", "port", undefined, "write"],
    ]);
    assert.ok(linked.links().every(({ bytesIn, bytesOut }) => bytesIn > 0 && bytesOut > 0));
    assert.equal(linked.status.peers, 2);
    assert.deepEqual([near.status.synced, near.status.behind], [false, {}], "of regions it knows nothing");
  });

  it("stays linked to others when it is taken offline, and brings the relay everything when it is back", async () => {
    const [one, far] = await Promise.all([openLinked(), openLinked()]);
    const other = await openOne({ storage: memory() }, "test");
    connect(one, other);
    await until(one, ({ state, peers }) => state === "live" && peers === 2);
    one.setOnline(false);
    await until(one, ({ peers }) => peers === 1);
    await write(one, "offline");
    await has(other, "offline");
    await write(other, "answer");
    await has(one, "answer");
    assert.equal(one.status.unsent, 1, "its own commit waits for a region, the other's is not its own");
    one.setOnline(true);
    await has(far, "answer");
    await one.durable();
  });

  it("that may only read there says so, and can't invite others to write", async () => {
    relay.verify = () => ({ ...OPEN, spaces: [["*", "read"]] });
    const reader = await openLinked();
    await until(reader, ({ state }) => state === "live");
    assert.deepEqual(
      reader.links().map(({ right }) => right),
      ["read"],
    );
    await assert.rejects(reader.invite({ right: "write" }), { code: "denied" });
  });
});

async function openOne(options: SpaceOptions = { storage: memory() }, name = "peers"): Promise<Space> {
  const space = await openSpace(name, options);
  spaces.push(space);
  return space;
}

const pair = (): Promise<[Space, Space]> => Promise.all([openOne(), openOne()]);

/** Connects two spaces; what is returned parts them again, by the first. */
function connect(one: Space, other: Space): () => void {
  const { port1, port2 } = new MessageChannel();
  other.connect(webPort(port2));
  return one.connect(webPort(port1));
}

/** The types of Node know two ports. */
const webPort = (port: NodePort): MessagePort => port as unknown as MessagePort;
