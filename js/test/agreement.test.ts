/** The law: after any edits, the value that a replica keeps here is the one its core would give. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { memory, openSpace, splice, type Doc, type Space } from "./eyot.js";
import { bump, deepen, scalarOf } from "./random-edits.js";

type Any = any;

const EMPTY = { list: [], text: "" };
const text = fc.string({ unit: fc.constantFrom("a", "b", " ", "é", "😀", "🏳️‍🌈", "\ud83d"), maxLength: 8 });
const scalar = fc.oneof(scalarOf(text), fc.double({ noNaN: true }));
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("x", "y"), scalar, { noNullPrototype: true }),
);
const edit = fc.tuple(fc.nat(9), fc.nat(30), value);
const session = fc.array(fc.array(edit, { minLength: 1, maxLength: 5 }), { maxLength: 4 });

describe("after any edits", () => {
  it("of one replica", async () => {
    await fc.assert(
      fc.asyncProperty(session, async (changes) => {
        await inSpace(async (space) => {
          const doc = space.create<Any>(EMPTY);
          for (const edits of changes) doc.change((draft) => run(draft, edits));
          await agrees(doc, () => space.open(doc.id));
        });
      }),
      { numRuns: 150 },
    );
  });

  it("of two replicas, apart and merged both ways", async () => {
    await fc.assert(
      fc.asyncProperty(session, session, session, async (shared, mine, yours) => {
        await inSpace((here) =>
          inSpace(async (there) => {
            const a = await here.named<Any>("doc", EMPTY);
            const b = await there.named<Any>("doc", EMPTY);
            for (const edits of shared) a.change((draft) => run(draft, edits));
            b.merge(a.export());
            for (const edits of mine) a.change((draft) => run(draft, edits));
            for (const edits of yours) b.change((draft) => run(draft, edits));
            a.merge(b.export());
            b.merge(a.export());
            assert.deepEqual(a.heads, b.heads);
            assert.deepEqual(a.value, b.value);
            await agrees(a, () => here.named("doc", EMPTY));
            await agrees(b, () => there.named("doc", EMPTY));
          }),
        );
      }),
      { numRuns: 150 },
    );
  });
});

async function inSpace(test: (space: Space) => Promise<void>): Promise<void> {
  const space = await openSpace("agreement", { storage: memory() });
  try {
    await test(space);
  } finally {
    await space.close();
  }
}

async function agrees(doc: Doc<Any>, openAgain: () => Promise<Doc<Any>>): Promise<void> {
  const { value } = doc;
  doc.close();
  assert.deepEqual((await openAgain()).value, value);
}

function run(draft: Any, edits: [number, number, unknown][]): void {
  for (const [what, where, value] of edits) {
    const { list } = draft;
    const at = list.length === 0 ? 0 : where % list.length;
    const key = `k${where % 3}`;
    if (what === 0) list.splice(at, 0, value, where);
    else if (what === 1) list.splice(at, where % 3);
    else if (what === 2) list[at] = value;
    else if (what === 3) draft[key] = value;
    else if (what === 4) delete draft[key];
    else if (what === 5) splice(draft, ["text"], Math.min(where, draft.text.length), where % 4, "ab😀");
    else if (what === 6) draft.text = String(value) + draft.text.slice(where % 5);
    else if (what === 7) bump(draft[key]) || bump(list[at]);
    else if (what === 8) deepen(draft[key], value) || deepen(list[at], value);
    else list.sort((a: unknown, b: unknown) => String(a).length - String(b).length);
  }
}
