/** The list of a space's documents, and who follows it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memory, openSpace, type DocInfo, type Space } from "./eyot.js";

type Any = any;

describe("the list of documents", () => {
  it("is the same array until something about it changes, and so are its entries", () =>
    inSpace(async (space) => {
      const first = space.create<Any>({ n: 1 });
      const list = space.documents();
      assert.equal(space.documents(), list);
      assert.ok(Object.isFrozen(list) && Object.isFrozen(list[0]));
      first.change(() => undefined);
      assert.equal(space.documents(), list);
      first.change((draft) => void (draft.n = 2));
      await space.saved();
      const next = space.documents();
      assert.notEqual(next, list);
      const second = await space.named("second", { n: 1 });
      assert.equal(space.documents().length, 2);
      assert.equal(
        space.documents().find(({ id }) => id === first.id),
        next[0],
      );
      assert.equal(space.documents().find(({ id }) => id === second.id)?.name, "second");
    }));

  it("tells its subscribers when documents come, grow and go, each time once", () =>
    inSpace(async (space) => {
      let tell: (list: readonly DocInfo[]) => void = () => undefined;
      const told: (readonly DocInfo[])[] = [];
      const heard = () => new Promise<readonly DocInfo[]>((resolve) => (tell = resolve));
      const stop = space.subscribeDocuments((list) => {
        told.push(list);
        tell(list);
      });
      let next = heard();
      const doc = space.create<Any>({ n: 1 });
      space.create({});
      assert.equal((await next).length, 2);
      assert.equal(await next, space.documents());
      next = heard();
      // An entry may grow in several steps.
      doc.change((draft) => void (draft.n = 2));
      while ((await next).find(({ id }) => id === doc.id)?.commits !== 2) next = heard();
      next = heard();
      space.delete(doc.id);
      assert.equal((await next).length, 1);
      assert.equal(new Set(told).size, told.length);
      stop();
      tell = () => assert.fail("not subscribed any more");
      space.create({});
      await space.saved();
    }));
});

async function inSpace(test: (space: Space) => Promise<void> | void): Promise<void> {
  const space = await openSpace("test", { storage: memory() });
  try {
    await test(space);
  } finally {
    await space.close();
  }
}
