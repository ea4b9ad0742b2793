/** What is edited at the same time: the table of `docs/guide/documents.md`, row by row. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Counter, memory, openSpace, splice, type Doc } from "./eyot.js";

interface Board {
  text: string;
  list: string[];
  map: Record<string, string>;
  items: { name: string; done: boolean }[];
  votes: Counter;
  size?: number;
}

type Edit = (draft: Board) => void;

describe("of what two do at the same time", () => {
  for (const [what, one, other, expected] of [
    [
      "a text has what both wrote, and not what either removed",
      (draft) => splice(draft, ["text"], 0, 3, "oat"),
      (draft) => splice(draft, ["text"], 8, 0, " and tea"),
      ({ text }) => assert.equal(text, "oat milk and tea"),
    ],
    [
      "a list has the items of both",
      (draft) => draft.list.unshift("one"),
      (draft) => draft.list.push("other"),
      ({ list }) => assert.deepEqual(list, ["one", "first", "other"]),
    ],
    [
      "different keys are both there",
      (draft) => (draft.map["one"] = "1"),
      (draft) => (draft.map["other"] = "2"),
      ({ map }) => assert.deepEqual(map, { kept: "0", one: "1", other: "2" }),
    ],
    [
      "a counter has the sum",
      (draft) => draft.votes.increment(2),
      (draft) => draft.votes.increment(3),
      ({ votes }) => assert.equal(votes.value, 5),
    ],
    [
      "a key that one puts a value at and another removes is there",
      (draft) => (draft.size = 2),
      (draft) => delete draft.size,
      ({ size }) => assert.equal(size, 2),
    ],
    [
      "a text that one removes is gone, with what the other writes in it",
      (draft) => delete draft.map["kept"],
      (draft) => (draft.map["kept"] = "01"),
      ({ map }) => assert.deepEqual(map, {}),
    ],
    [
      "an item that one removes is gone, with what the other edits in it",
      (draft) => draft.items.splice(0, 1),
      (draft) => (draft.items[0]!.done = true),
      ({ items }) => assert.deepEqual(items, []),
    ],
  ] as [string, Edit, Edit, (value: Board) => void][]) {
    it(what, () => inCopies(one, other, ({ value }) => expected(value as Board)));
  }

  it("one value of a key is there, the same everywhere, and the other is a conflict", () =>
    inCopies(
      (draft) => (draft.map["new"] = "one"),
      (draft) => (draft.map["new"] = "other"),
      (doc) => {
        const conflicts = Object.values(doc.conflicts(["map", "new"])!);
        assert.deepEqual(conflicts.sort(), ["one", "other"]);
        doc.change((draft) => (draft.map["new"] = "neither"));
      },
    ));
});

/** Two replicas edit copies of a document apart, and merge them. Each is somebody else: what one writes twice is a fork. */
async function inCopies(one: Edit, other: Edit, check: (doc: Doc<Board>) => void): Promise<void> {
  const spaces = [await openSpace("test", { storage: memory() }), await openSpace("test", { storage: memory() })];
  try {
    const items = [{ name: "boat", done: false }];
    const begun = { text: "soy milk", list: ["first"], map: { kept: "0" }, items, votes: new Counter(0), size: 1 };
    const file = spaces[0]!.create<Board>(begun).export();
    const copies = [one, other].map((edit, at) => {
      const copy = spaces[at]!.create<Board>({} as Board);
      copy.merge(file);
      copy.change(edit);
      return copy;
    });
    const files = copies.map((copy) => copy.export());
    copies.forEach((copy, at) => copy.merge(files[1 - at]!));
    assert.deepEqual(copies[0]!.value, copies[1]!.value);
    copies.forEach(check);
  } finally {
    await Promise.all(spaces.map((space) => space.close()));
  }
}
