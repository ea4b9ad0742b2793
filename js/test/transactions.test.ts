/** `transact`: several documents in one commit. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { EyotError, memory, openSpace, type Doc, type Space } from "./eyot.js";

type Account = { sum: number };

const open: Space[] = [];
afterEach(async () => {
  for (const space of open.splice(0)) await space.close();
});

async function start(): Promise<Space> {
  const space = await openSpace("bank", { storage: memory() });
  open.push(space);
  return space;
}

/** Two replicas that are linked, each with both accounts open. */
async function pair(): Promise<{ here: Space; there: Space; mine: Doc<Account>[]; theirs: Doc<Account>[] }> {
  const [here, there] = [await start(), await start()];
  const { port1, port2 } = new MessageChannel();
  here.connect(port1);
  there.connect(port2);
  const mine = [here.create<Account>({ sum: 10 }), here.create<Account>({ sum: 0 })];
  const theirs = [];
  for (const { id } of mine) theirs.push(await arrival(there, id));
  return { here, there, mine, theirs };
}

async function arrival(space: Space, id: string): Promise<Doc<Account>> {
  const isHere = () => space.documents().some((info) => info.id === id);
  if (!isHere()) {
    await new Promise<void>((resolve) => {
      const stop = space.subscribeDocuments(() => {
        if (isHere()) resolve(stop());
      });
    });
  }
  return space.open<Account>(id);
}

const sums = (docs: readonly Doc<Account>[]) => docs.map((doc) => doc.value.sum);

function pay(docs: readonly Doc<Account>[], amount: number): void {
  docs[0]!.change((account) => void (account.sum -= amount));
  docs[1]!.change((account) => void (account.sum += amount));
}

describe("a transaction", () => {
  it("is one commit of several documents, and is told once all of it is there", async () => {
    const { here, mine, theirs } = await pair();
    const told: unknown[] = [];
    for (const doc of mine) doc.subscribe(() => told.push(["here", ...sums(mine)]));
    const { result, commit } = here.transact(
      () => {
        pay(mine, 3);
        assert.deepEqual(sums(mine), [7, 3], "reads see what was written");
        pay(mine, 1);
        assert.deepEqual(told, [], "nobody is told before the end");
        return "paid";
      },
      { message: "rent" },
    );
    assert.equal(result, "paid");
    assert.match(commit.id, /^[0-9a-f]{64}$/);
    assert.deepEqual(told, [
      ["here", 6, 4],
      ["here", 6, 4],
    ]);
    await commit.saved;
    assert.deepEqual(
      mine.map((doc) => doc.history().at(-1)?.message),
      ["rent", "rent"],
    );
    // At the other replica, too.
    const seen: unknown[] = [];
    const all = new Promise<void>((resolve) => {
      for (const doc of theirs) doc.subscribe(() => seen.push(sums(theirs)) === 4 && resolve());
    });
    here.transact(() => pay(mine, 2));
    if (seen.length < 4 && sums(theirs)[0] !== 4) await all;
    assert.ok(
      seen.every((sum) => String(sum) === "6,4" || String(sum) === "4,6"),
      JSON.stringify(seen),
    );
  });

  it("that throws leaves nothing behind, in values, drafts and the engine", async () => {
    const { here, mine, theirs } = await pair();
    const before = mine.map((doc) => [doc.value, doc.heads]);
    let made: Doc<Account> | undefined;
    let inside: Promise<void> | undefined;
    const told: unknown[] = [];
    for (const doc of mine) doc.subscribe(() => told.push(doc.value));
    assert.throws(
      () =>
        here.transact(() => {
          pay(mine, 5);
          made = here.create<Account>({ sum: 1 });
          inside = mine[0]!.change((account) => void (account.sum = 99)).saved;
          here.delete(mine[1]!.id);
          assert.equal(mine[1]!.deleted, true);
          throw new RangeError("no");
        }),
      RangeError,
    );
    mine.forEach((doc, index) => assert.deepEqual([doc.value, doc.heads], before[index]));
    assert.equal(mine[0]!.value, before[0]![0]);
    assert.deepEqual(told, []);
    assert.equal(mine[1]!.deleted, false);
    assert.equal(made!.deleted, true);
    assert.equal(here.documents().length, 2);
    await assert.rejects(inside!, { code: "aborted" });
    pay(mine, 4);
    assert.deepEqual(sums(mine), [6, 4]);
    await settled(theirs, [6, 4]);
  });

  it("that the engine refuses leaves nothing behind either", async () => {
    const { here, mine } = await pair();
    const stranger = (await start()).create<Account>({ sum: 0 });
    assert.throws(
      () =>
        here.transact(() => {
          pay(mine, 5);
          here.delete(stranger.id);
        }),
      { code: "not-found" },
    );
    assert.deepEqual(sums(mine), [10, 0]);
    pay(mine, 1);
    assert.deepEqual(sums(mine), [9, 1]);
  });

  it("makes and deletes documents too", async () => {
    const { here, there, mine, theirs } = await pair();
    const gone = new Promise<void>((resolve) => theirs[1]!.subscribe((_, { deleted }) => deleted && resolve()));
    const { result: fresh, commit } = here.transact(() => {
      const fresh = here.create<Account>({ sum: 0 });
      fresh.change((account) => void (account.sum = mine[0]!.value.sum));
      mine[0]!.change((account) => void (account.sum = 0));
      here.delete(mine[1]!.id);
      const never = here.create({});
      here.delete(never.id);
      return fresh;
    });
    assert.deepEqual(fresh.value, { sum: 10 });
    assert.equal(fresh.created!.id, commit.id);
    assert.match(mine[0]!.created!.id, /^[0-9a-f]{64}$/);
    await commit.saved;
    await gone;
    const copy = await arrival(there, fresh.id);
    assert.deepEqual(copy.value, { sum: 10 });
    assert.equal(copy.created, undefined);
    assert.equal(theirs[0]!.value.sum, 0);
    assert.deepEqual(
      here
        .documents()
        .map(({ id }) => id)
        .sort(),
      [fresh.id, mine[0]!.id].sort(),
    );
    assert.equal(fresh.history().length, 1, "one change of it");
  });

  it("is synchronous, not nested, and has nothing else of the space inside", async () => {
    const { here, mine } = await pair();
    const invalid = (error: unknown) => error instanceof EyotError && error.code === "invalid";
    assert.throws(() => here.transact(async () => mine[0]!.change((account) => void (account.sum = 1))), invalid);
    assert.throws(() => here.transact(() => here.transact(() => 1)), invalid);
    assert.throws(() => here.transact(() => mine[0]!.heads), invalid);
    assert.throws(() => here.transact(() => here.undo()), invalid);
    assert.throws(() => here.transact(1 as never), invalid);
    assert.throws(() => here.transact(() => 1, { note: "x" } as never), invalid);
    assert.throws(() => here.transact(() => here.documents()), invalid);
    assert.equal(here.transact(() => here.status.state).result, "local");
    assert.equal(here.transact(() => 1).commit.id, "", "nothing was done");
    assert.deepEqual(sums(mine), [10, 0]);
    // A handle that is closed inside lets go after the end.
    here.transact(() => {
      mine[0]!.change((account) => void (account.sum = 8));
      mine[0]!.close();
    });
    assert.equal((await here.open<Account>(mine[0]!.id)).value.sum, 8);
  });
});

async function settled(docs: readonly Doc<Account>[], wanted: number[]): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = () => String(sums(docs)) === String(wanted) && resolve();
    for (const doc of docs) doc.subscribe(look);
    look();
  });
}
