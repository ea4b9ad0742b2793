/**
 * Documents of Automerge's own JavaScript package and of eyot, each read, edited and merged by the
 * other. Run alone: node --test tests/interop/automerge.test.mjs
 */
import * as Automerge from "@automerge/automerge";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AtomicString, Counter, memory, openSpace, splice } from "eyot";

const VALUES = {
  text: ["hello 😀 wörld 🏳️‍🌈", ""],
  atomic: ["replaced whole", ""],
  counter: [0, -7, 9_000_000_000],
  date: [0, 1_700_000_000_123, -1],
  bytes: [[], [0, 1, 254, 255]],
  // Automerge's package reads larger ones as bigint, and writes large floats without a fraction as integers.
  int: [0, 1, -1, 2 ** 53 - 2, 2 - 2 ** 53],
  float: [0.5, -1e-9, Math.PI, Infinity],
  bool: [true, false],
};

/** One value of every type, at the root, in a list, and in a map in a list. */
function everything(kinds) {
  const flat = Object.entries(VALUES).flatMap(([kind, values]) =>
    values.map((value, at) => [`${kind}${at}`, () => kinds[kind](value)]),
  );
  const all = () => Object.fromEntries([...flat.map(([key, make]) => [key, make()]), ["null", null]]);
  return {
    ...all(),
    list: [...Object.values(all()), [[]], {}],
    nested: { "": { "a.b": [all(), [Object.values(all())]] } },
    "__proto__ and other keys": { toString: 1, "😀": { constructor: "x" } },
  };
}

const common = {
  text: (value) => value,
  date: (value) => new Date(value),
  bytes: (value) => Uint8Array.from(value),
  int: (value) => value,
  float: (value) => value,
  bool: (value) => value,
};
const theirs = everything({
  ...common,
  atomic: (value) => new Automerge.ImmutableString(value),
  counter: (value) => new Automerge.Counter(value),
});
const ours = everything({
  ...common,
  atomic: (value) => new AtomicString(value),
  counter: (value) => new Counter(value),
});

/** A value with its types spelt out, so that the two packages' values compare. */
function spelt(value) {
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (value instanceof Counter || value instanceof Automerge.Counter) return { counter: value.value };
  if (value instanceof AtomicString || Automerge.isImmutableString(value)) return { atomic: value.toString() };
  if (Array.isArray(value)) return value.map(spelt);
  if (typeof value !== "object" || value === null) return value;
  return {
    map: Object.fromEntries(
      Object.keys(value)
        .sort()
        .map((key) => [key, spelt(value[key])]),
    ),
  };
}

function same(actual, expected) {
  assert.deepEqual(spelt(actual), spelt(expected));
}

async function inSpace(test) {
  const space = await openSpace("interop", { storage: memory() });
  try {
    await test(space);
  } finally {
    await space.close();
  }
}

/** Automerge's package reads our file, or an error says what it could not. */
const load = (doc) => Automerge.load(doc.export());

describe("documents", () => {
  it("written by eyot are read by Automerge, every type", () =>
    inSpace((space) => {
      const doc = space.create(ours);
      same(load(doc), theirs);
      same(doc.value, theirs);
    }));

  it("written by Automerge are read by eyot, every type", () =>
    inSpace(async (space) => {
      const doc = space.create({});
      doc.merge(Automerge.save(Automerge.from(theirs)));
      same(doc.value, ours);
      const { id } = doc;
      doc.close();
      same((await space.open(id)).value, ours);
    }));

  it("have the same heads and the same changes", () =>
    inSpace((space) => {
      const doc = space.create({ list: [] });
      for (let n = 0; n < 5; n++) doc.change((draft) => void draft.list.push(n), { message: `number ${n}` });
      const other = load(doc);
      assert.deepEqual(Automerge.getHeads(other), [...doc.heads]);
      const messages = Automerge.getHistory(other).map(({ change }) => change.message);
      assert.deepEqual(
        messages.slice(-5),
        [0, 1, 2, 3, 4].map((n) => `number ${n}`),
      );
    }));

  it("with integers beyond JavaScript's are read as their nearest number", () =>
    inSpace((space) => {
      const doc = space.create({});
      const large = Automerge.from({ above: 2n ** 60n, below: -(2n ** 60n) });
      doc.merge(Automerge.save(large));
      assert.deepEqual({ ...doc.value }, { above: 2 ** 60, below: -(2 ** 60) });
    }));
});

describe("concurrent edits merge the same in both", () => {
  const edits = {
    "of different keys": [{ a: 1, b: 1 }, (mine) => void (mine.a = 2), (yours) => void (yours.b = 2)],
    "of the same key": [{ a: 1 }, (mine) => void (mine.a = "mine"), (yours) => void (yours.a = "yours")],
    "of a list": [
      { list: [1, 2, 3] },
      (mine) => void mine.list.splice(1, 1, "a", "b"),
      (yours) => void yours.list.push("end"),
    ],
    "of a text": [
      { text: "hello world" },
      (mine, edit) => edit(mine, ["text"], 5, 0, ", dear 😀"),
      (yours, edit) => edit(yours, ["text"], 0, 5, "goodbye"),
    ],
    "of a text in a list": [
      { list: [{ text: "abc" }] },
      (mine, edit) => edit(mine, ["list", 0, "text"], 3, 0, "d"),
      (yours, edit) => edit(yours, ["list", 0, "text"], 0, 1, ""),
    ],
    "of a text by assignment": [
      { text: "the quick brown fox" },
      (mine) => void (mine.text = "the slow brown fox"),
      (yours) => void (yours.text = "the quick brown foxes"),
    ],
    "of a key and its deletion": [
      { map: { a: 1, b: 2 } },
      (mine) => void delete mine.map.a,
      (yours) => void (yours.map.c = 3),
    ],
  };

  for (const [name, [initial, mine, yours]] of Object.entries(edits)) {
    it(name, () =>
      inSpace((space) => {
        const doc = space.create(initial);
        let other = load(doc);
        doc.change((draft) => mine(draft, splice));
        other = Automerge.change(other, (draft) => yours(draft, Automerge.splice));
        meet(doc, other);
      }),
    );
  }

  it("of counters, from both sides", () =>
    inSpace((space) => {
      const doc = space.create({ count: new Counter(10) });
      let other = load(doc);
      doc.change((draft) => draft.count.increment(3));
      other = Automerge.change(other, (draft) => draft.count.increment(-5));
      meet(doc, other);
      assert.equal(doc.value.count.value, 8);
    }));

  it("again and again, and new edits build on the merged", () =>
    inSpace((space) => {
      const doc = space.create({ text: "", list: [] });
      let other = load(doc);
      for (let round = 0; round < 10; round++) {
        doc.change((draft) => {
          splice(draft, ["text"], draft.text.length, 0, `e${round}😀`);
          draft.list.unshift({ round });
        });
        other = Automerge.change(other, (draft) => {
          Automerge.splice(draft, ["text"], 0, 0, `a${round}`);
          draft.list.push([round]);
        });
        other = meet(doc, other);
      }
      assert.equal(doc.value.list.length, 20);
    }));
});

/** Both take the other's file; the document that both then have. */
function meet(doc, other) {
  const merged = Automerge.merge(other, load(doc));
  doc.merge(Automerge.save(merged));
  same(doc.value, merged);
  assert.deepEqual([...doc.heads].sort(), Automerge.getHeads(merged).sort());
  return merged;
}
