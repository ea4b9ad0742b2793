/** What can be read of a document beside its value: rich text, cursors, conflicts, the past. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { EyotError, mark, memory, move, openSpace, splice, type Doc, type Space } from "./eyot.js";

type Any = any;

const open: Space[] = [];
afterEach(async () => {
  for (const space of open.splice(0)) await space.close();
});

async function start(): Promise<Space> {
  const space = await openSpace("reading", { storage: memory() });
  open.push(space);
  return space;
}

async function pair(initial: Any): Promise<{ mine: Doc<Any>; theirs: Doc<Any>; merge: () => void }> {
  const mine = await (await start()).named<Any>("doc", initial);
  const theirs = await (await start()).named<Any>("doc", initial);
  const merge = () => {
    theirs.merge(mine.export());
    mine.merge(theirs.export());
    assert.deepEqual(mine.value, theirs.value);
  };
  mine.change((draft) => void (draft.begun = true));
  merge();
  return { mine, theirs, merge };
}

const invalid = (error: unknown) => error instanceof EyotError && error.code === "invalid";

describe("rich text", () => {
  it("is marked, edited around the marks, and read back the same at every replica", async () => {
    const { mine, theirs, merge } = await pair({ note: { text: "hello 😀 world" } });
    const path = ["note", "text"];
    const patches: unknown[] = [];
    theirs.subscribe((_, event) => patches.push(...event.patches));
    mine.change((draft) => {
      mark(draft, path, { start: 0, end: 5 }, "bold", true);
      // Half of a pair is all of it.
      mark(draft.note, ["text"], { start: 7, end: 8, expand: "none" }, "link", "https://example.org");
      mark(draft, path, { start: 3, end: 3 }, "never", true);
    });
    merge();
    theirs.change((draft) => splice(draft, path, 5, 0, "!"));
    merge();
    const spans = [
      { text: "hello!", marks: { bold: true } },
      { text: " ", marks: {} },
      { text: "😀", marks: { link: "https://example.org" } },
      { text: " world", marks: {} },
    ];
    assert.deepEqual(mine.spans(path), spans);
    assert.deepEqual(theirs.spans(path), spans);
    assert.ok(Object.isFrozen(mine.spans(path)[0]!.marks));
    assert.ok(patches.some((patch: Any) => patch.action === "mark" && patch.marks[0].name === "bold"));
    mine.change((draft) => mark(draft, path, { start: 0, end: 3 }, "bold", null));
    assert.deepEqual(mine.spans(path).slice(0, 2), [
      { text: "hel", marks: {} },
      { text: "lo!", marks: { bold: true } },
    ]);
  });

  it("refuses marks that are none", async () => {
    const doc = (await start()).create<Any>({ text: "abc", list: [] });
    const attempts: ((draft: Any) => void)[] = [
      (draft) => mark(draft, ["text"], { start: 0, end: 4 }, "m", true),
      (draft) => mark(draft, ["text"], { start: -1, end: 2 }, "m", true),
      (draft) => mark(draft, ["list"], { start: 0, end: 0 }, "m", true),
      (draft) => mark(draft, ["text"], { start: 0, end: 1 }, "", true),
      (draft) => mark(draft, ["text"], { start: 0, end: 1 }, "m", {} as never),
      (draft) => mark(draft, ["text"], { start: 0, end: 1, expand: "all" as never }, "m", true),
      (draft) => mark(draft, ["text"], { start: 0, end: 1, more: 1 } as never, "m", true),
      (draft) => mark(draft, [], { start: 0, end: 1 }, "m", true),
      () => mark({}, ["text"], { start: 0, end: 1 }, "m", true),
    ];
    for (const attempt of attempts) assert.throws(() => doc.change(attempt), invalid, String(attempt));
    assert.throws(() => doc.spans(["list"]), invalid);
    assert.throws(() => doc.spans("text" as never), invalid);
    assert.deepEqual(doc.spans(["text"]), [{ text: "abc", marks: {} }]);
  });
});

describe("a cursor", () => {
  it("stays with what is there, in texts and lists, at every replica", async () => {
    const { mine, theirs, merge } = await pair({ text: "hello world", list: ["a", "b", "c"] });
    const [word, end, item] = [mine.cursor(["text"], 6), mine.cursor(["text"], 11), mine.cursor(["list"], 1)];
    theirs.change((draft) => {
      splice(draft, ["text"], 0, 5, "goodbye");
      draft.list.unshift("z");
    });
    merge();
    assert.deepEqual([word, end, item].map(mine.position), [8, 13, 2]);
    assert.deepEqual([word, end, item].map(theirs.position), [8, 13, 2]);
    theirs.change((draft) => {
      splice(draft, ["text"], 7, 6);
      draft.list.splice(1, 2);
    });
    merge();
    assert.deepEqual([word, end, item].map(mine.position), [7, 7, 1], "where it was");
  });

  it("that is none is refused, and harms nobody", async () => {
    const { mine } = await pair({ text: "hello", other: "x", list: [1] });
    const [a, b] = [mine.cursor(["text"], 1), mine.cursor(["other"], 0)];
    const mixed = `${a.split("/")[0]}/${b.split("/")[1]}`;
    for (const bad of ["", "x", mixed, `${a}é`, "1@zz/1@zz", "1@00/-", 7 as never]) {
      assert.throws(() => mine.position(bad), invalid, String(bad));
    }
    assert.throws(() => mine.cursor(["text"], 6), invalid);
    assert.throws(() => mine.cursor(["text"], -1), invalid);
    assert.throws(() => mine.cursor(["begun"], 0), invalid);
    assert.equal(mine.position(a), 1);
  });
});

describe("a document", () => {
  it("tells conflicts, until one value is set after all", async () => {
    const { mine, theirs, merge } = await pair({ list: [0] });
    mine.change((draft) => {
      draft.title = "a";
      draft.list[0] = 1;
    });
    theirs.change((draft) => {
      draft.title = { deep: ["b"] };
      draft.list[0] = 2;
    });
    merge();
    const conflicts = mine.conflicts(["title"])!;
    assert.deepEqual(Object.values(conflicts).sort(), ["a", { deep: ["b"] }].sort());
    assert.deepEqual(theirs.conflicts(["title"]), conflicts);
    assert.deepEqual(Object.values(mine.conflicts(["list", 0])!).sort(), [1, 2]);
    assert.equal(mine.conflicts(["begun"]), undefined);
    mine.change((draft) => {
      // A string that is assigned to a text edits it, which decides nothing.
      delete draft.title;
      draft.title = "both";
    });
    assert.equal(mine.conflicts(["title"]), undefined);
    assert.throws(() => mine.conflicts([]), invalid);
    assert.throws(() => mine.conflicts(["nowhere", "x"]), invalid);
  });

  it("tells its past", async () => {
    const doc = (await start()).create<Any>({ text: "one" });
    const before = [doc.heads, doc.value] as const;
    doc.change((draft) => void (draft.text = "two"), { message: "counting" });
    const [first, second, ...more] = doc.history();
    assert.deepEqual(more, []);
    assert.equal(first!.message, undefined);
    assert.equal(second!.message, "counting");
    assert.equal(second!.hash, doc.heads[0]);
    assert.equal(second!.actor, first!.actor);
    assert.ok(second!.operations > 0);
    assert.ok(Math.abs(second!.time - Date.now()) < 60_000);
    assert.deepEqual(doc.at(before[0]), before[1]);
    assert.deepEqual(doc.at(doc.heads), doc.value);
    assert.deepEqual(doc.at([]), {});
    assert.ok(Object.isFrozen(doc.at([])));
    for (const bad of [["00".repeat(32)], ["x"], [1], "x"]) assert.throws(() => doc.at(bad as never), invalid);
  });

  it("moves items of lists, as copies", async () => {
    const { mine, theirs, merge } = await pair({ board: { cards: [{ n: 1 }, { n: 2 }, { n: 3 }] } });
    const order = () => mine.value.board.cards.map(({ n }: Any) => n);
    mine.change((draft) => move(draft, ["board", "cards"], 0, 2));
    assert.deepEqual(order(), [2, 3, 1]);
    mine.change((draft) => move(draft.board.cards, [], 2, 1));
    assert.deepEqual(order(), [2, 1, 3]);
    merge();
    // What the README says of it: an edit of what is moved meanwhile is lost, and two moves leave two copies.
    mine.change((draft) => move(draft, ["board", "cards"], 0, 1));
    theirs.change((draft) => void (draft.board.cards[0].n = 20));
    merge();
    assert.deepEqual(order(), [1, 2, 3]);
    for (const [from, to] of [
      [3, 0],
      [0, 3],
      [-1, 0],
      [0.5, 0],
    ] as const) {
      assert.throws(() => mine.change((draft) => move(draft, ["board", "cards"], from, to)), invalid);
    }
    assert.throws(() => mine.change((draft) => move(draft, ["board"], 0, 0)), invalid);
  });
});
