/** Edits of much at once, over the real engine. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Counter, memory, openSpace, splice, type Space } from "./eyot.js";

type Any = any;

describe("a large edit", () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

  it("comes to the same value here and in the core", () =>
    inSpace(async (space) => {
      const doc = space.create<Any>({ list: numbers(30_000), text: "lorem ipsum ".repeat(4_000), other: "" });
      doc.change((draft) => {
        draft.list.length = 0;
        draft.list.push({ n: 1, long: "long ".repeat(2_000), inner: [{ a: ["b"] }, new Counter(1)] });
        draft.list[0].inner[0].a.push("c");
        draft.text = "quite another 😀".repeat(2_000);
        draft.other = { "x y": draft.list, text: draft.text };
        splice(draft, ["text"], 0, 25_000, "start");
      });
      doc.change(({ list }) => numbers(2_000).forEach((n) => list.unshift(n)));
      const { id, value } = doc;
      doc.close();
      assert.deepEqual((await space.open<Any>(id)).value, value);
    }));

  for (const [size, survives] of [
    [10_000, true],
    [30_000, false],
  ] as const) {
    it(`that removes ${size} items or characters ${survives ? "keeps" : "loses"} what others put among them`, () =>
      inSpace(async (here) => {
        await inSpace(async (there) => {
          const a = here.create<Any>({});
          a.change((draft) => Object.assign(draft, { list: numbers(size), text: "x".repeat(size), near: ["y"] }));
          const b = there.create<Any>({});
          b.merge(a.export());
          b.change(({ list }) => void list.push("late"));
          b.change((draft) => splice(draft, ["text"], 5, 0, "late"));
          a.change((draft) => {
            draft.list.splice(0);
            draft.text = "";
          });
          a.merge(b.export());
          b.merge(a.export());
          assert.deepEqual(a.value, b.value);
          assert.deepEqual(a.value, { list: survives ? ["late"] : [], text: survives ? "late" : "", near: ["y"] });
        });
      }));
  }

  it("with two small differences far apart is two small edits", () =>
    inSpace(async (here) => {
      await inSpace(async (there) => {
        const text = "lorem ipsum ".repeat(5_000);
        const a = here.create<Any>({ text });
        const b = there.create<Any>({});
        b.merge(a.export());
        b.change((draft) => splice(draft, ["text"], 30_000, 0, "late "));
        a.change((draft) => void (draft.text = `L${text.slice(1, -6)}IPSUM `));
        a.merge(b.export());
        assert.equal(a.value.text, `L${text.slice(1, 30_000)}late ${text.slice(30_000, -6)}IPSUM `);
      });
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
