/** `space.destroy()`: nothing of the replica is left on the device, and all else is. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { customStore, directory, memory, openSpace, type Space, type SpaceOptions } from "./eyot.js";
import { MemoryStore } from "./memory-store.js";
import { TestRelay } from "./relay.js";

let root = "";
let folders = 0;
before(async () => (root = await mkdtemp(join(tmpdir(), "eyot-destroy-"))));
after(() => rm(root, { recursive: true }));

/** How many documents there are when the space is opened. */
async function held(name: string, options: SpaceOptions): Promise<number> {
  const space = await openSpace(name, options);
  const { length } = space.documents();
  await space.close();
  return length;
}

async function filled(name: string, options: SpaceOptions): Promise<Space> {
  const space = await openSpace(name, options);
  await space.create({ text: "" }).change((draft) => void (draft.text = "private")).saved;
  return space;
}

describe("a space that is destroyed", () => {
  it("leaves nothing in its folder, and the other spaces there as they are", async () => {
    const folder = join(root, String(++folders));
    const options = { storage: directory(folder) };
    // The folder of a long name is in that of its beginning.
    const [long, longer] = ["x".repeat(200), "x".repeat(201)];
    for (const name of [long, longer, "other"]) await (await filled(name, options)).close();
    await writeFile(join(folder, long, "mine.txt"), "not eyot's");
    await (await openSpace(long, options)).destroy({ force: true });
    assert.deepEqual((await readdir(join(folder, long))).sort(), ["mine.txt", "x"]);
    assert.equal(await held(long, options), 0);
    assert.equal(await held(longer, options), 1);
    await (await openSpace("other", options)).destroy({ force: true });
    assert.deepEqual(await readdir(folder), [long]);
  });

  it("leaves nothing in a store of one's own", async () => {
    const entries = new Map<string, Uint8Array>();
    const storage = customStore(() => new MemoryStore(entries));
    const space = await filled("test", { storage });
    assert.ok(entries.size > 0);
    await space.destroy({ force: true });
    assert.equal(entries.size, 0);
    assert.equal(await held("test", { storage }), 0);
  });

  it("is closed, whatever it is kept in", async () => {
    const space = await filled("test", { storage: memory() });
    const { saved } = space.create({ n: 1 }).change((draft) => void (draft.n = 2));
    await space.destroy({ force: true });
    await saved;
    assert.equal(space.status.state, "closed");
    await assert.rejects(space.destroy(), { code: "closed" });
    await space.close();
  });

  it("loses nothing that no region has, unless it is told to", async () => {
    const relay = await TestRelay.start("eu");
    const options = { relays: [relay.address], storage: memory() };
    const space = await openSpace("test", options);
    await space.durable();
    space.setOnline(false);
    const doc = space.create({ text: "mine" });
    await assert.rejects(space.destroy(), { code: "unsent", message: /no region has stored/ });
    await assert.rejects(space.destroy({ force: false }), { code: "unsent" });
    // It goes on, and once it is sent there is nothing against it.
    space.setOnline(true);
    await space.durable();
    await space.destroy();
    const again = await openSpace("test", options);
    assert.deepEqual((await again.open(doc.id)).value, { text: "mine" });
    await again.close();
    await relay.stop();
  });

  it("has all to lose without relays, and nothing while it is empty", async () => {
    const space = await filled("test", { storage: memory() });
    await assert.rejects(space.destroy(), { code: "unsent" });
    await space.close();
    await (await openSpace("empty", { storage: memory() })).destroy();
  });

  it("says what could not be removed", async () => {
    let opened = 0;
    const storage = customStore(() => {
      if (++opened > 1) throw new Error("the disk is gone");
      return new MemoryStore(new Map());
    });
    const space = await openSpace("test", { storage });
    await assert.rejects(space.destroy(), { code: "storage", message: /cannot be wiped: the disk is gone/ });
    assert.equal(space.status.state, "closed");
  });
});
