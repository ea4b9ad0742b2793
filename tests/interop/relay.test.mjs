/**
 * Two replicas in Node and a relay between them: what the package promises of documents and waits
 * where a relay is. Run alone: node --test tests/interop/relay.test.mjs
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Counter, memory, openSpace, splice } from "eyot";
import { startRelay } from "../relay.mjs";

const timeout = 60_000;
let relay;
before(async () => (relay = await startRelay()), { timeout });
after(() => relay.stop());

let spaces = 0;

/** Two replicas of one space. */
async function apart(test) {
  const name = `relay-test-${++spaces}`;
  const options = { relays: [relay.url], storage: memory() };
  const [here, there] = await Promise.all([openSpace(name, options), openSpace(name, options)]);
  try {
    await test(here, there);
  } finally {
    await Promise.all([here.close(), there.close()]);
  }
}

/** Resolves with the value once it is as wanted. */
function once(doc, wanted) {
  return new Promise((resolve) => {
    const look = (value, event) => wanted(value) && (stop(), resolve({ value, event }));
    const stop = doc.subscribe(look);
    if (wanted(doc.value)) look(doc.value);
  });
}

describe("through a relay", () => {
  it("a document that is not here yet is opened when it arrives", { timeout }, () =>
    apart(async (here, there) => {
      const made = here.create({ n: 1 });
      await here.durable(); // or the relay may answer first that there is no such document
      const opened = await there.open(made.url);
      assert.deepEqual({ ...opened.value }, { n: 1 });
      assert.ok(there.documents().some(({ id }) => id === made.id));
    }),
  );

  it("a document that nobody has is not found once the relay has said so", { timeout }, () =>
    apart(async (here) => {
      await assert.rejects(here.open("automerge:38zjcvr4JvfPhzzhEqjzZqv8vVsn"), { code: "not-found" });
      assert.equal(here.status.synced, true);
      assert.equal(here.status.state, "live");
    }),
  );

  it("a commit is durable once the relay's region has it, and more regions than exist are invalid", { timeout }, () =>
    apart(async (here, there) => {
      const doc = here.create({ n: 1 });
      const commit = doc.change((draft) => void (draft.n = 2));
      await commit.durable();
      await here.durable();
      assert.equal(here.status.unsent, 0);
      await assert.rejects(commit.durable({ regions: 5 }), { code: "invalid" });
      await there.synced();
      assert.equal((await there.open(doc.id)).value.n, 2);
    }),
  );

  it("others' edits come as patches, and what they leave alone stays the same objects", { timeout }, () =>
    apart(async (here, there) => {
      const mine = await here.named("doc", {
        text: "",
        count: new Counter(),
        list: [{ a: 1 }, { b: 2 }],
        map: { x: {} },
      });
      const yours = await there.named("doc", {
        text: "",
        count: new Counter(),
        list: [{ a: 1 }, { b: 2 }],
        map: { x: {} },
      });
      const before = mine.value;
      yours.change((draft) => {
        splice(draft, ["text"], 0, 0, "hello");
        draft.count.increment(2);
        draft.list[1].b = 3;
      });
      const { value, event } = await once(mine, ({ text }) => text === "hello");
      assert.equal(event.origin, "remote");
      assert.ok(event.patches.some(({ action }) => action === "splice"));
      assert.equal(value.count.value, 2);
      assert.deepEqual(value.list[1], { b: 3 });
      assert.equal(value.list[0], before.list[0]);
      assert.equal(value.map, before.map);
      assert.ok(Object.isFrozen(value) && Object.isFrozen(value.list));
    }),
  );

  it("edits made off the relay meet when both are back", { timeout }, () =>
    apart(async (here, there) => {
      const mine = await here.named("doc", { list: [] });
      const yours = await there.named("doc", { list: [] });
      here.setOnline(false);
      there.setOnline(false);
      for (let n = 0; n < 20; n++) {
        mine.change((draft) => void draft.list.push(`mine ${n}`));
        yours.change((draft) => void draft.list.unshift(`yours ${n}`));
      }
      assert.equal(here.status.state, "offline");
      here.setOnline(true);
      there.setOnline(true);
      await Promise.all([mine, yours].map((doc) => once(doc, ({ list }) => list.length === 40)));
      assert.deepEqual(mine.value, yours.value);
      assert.deepEqual(mine.heads, yours.heads);
    }),
  );

  it("heads move with others' edits that leave the value as it was", { timeout }, () =>
    apart(async (here, there) => {
      const mine = await here.named("doc", { text: "" });
      const yours = await there.named("doc", { text: "" });
      const before = mine.heads;
      yours.change((draft) => splice(draft, ["text"], 0, 0, "N"));
      await yours.change((draft) => splice(draft, ["text"], 0, 1)).durable();
      await here.synced();
      assert.equal(mine.value.text, "");
      assert.notDeepEqual(mine.heads, before);
      assert.deepEqual(mine.heads, yours.heads);
      assert.equal(mine.heads, mine.heads);
    }),
  );

  it("a document deleted elsewhere can be edited no more", { timeout }, () =>
    apart(async (here, there) => {
      const mine = here.create({ n: 1 });
      await here.durable();
      const yours = await there.open(mine.url);
      await here.delete(mine.id).durable();
      await there.synced();
      assert.throws(() => yours.change((draft) => void (draft.n = 2)), { code: "not-found" });
      assert.deepEqual(there.documents(), []);
    }),
  );
});
