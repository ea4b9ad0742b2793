/** Undo and redo: of this replica's own changes, around what others do meanwhile. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import {
  AtomicString,
  Counter,
  directory,
  mark,
  memory,
  move,
  openSpace,
  splice,
  type Doc,
  type Space,
} from "./eyot.js";

type Any = any;

const open: Space[] = [];
let now = 1_000_000;
beforeEach(() => {
  now = 1_000_000;
  mock.method(Date, "now", () => now);
});
afterEach(async () => {
  mock.restoreAll();
  for (const space of open.splice(0)) await space.close();
});

async function start(storage = memory()): Promise<Space> {
  const space = await openSpace("undo", { storage });
  open.push(space);
  return space;
}

/** A document at two replicas, and how to let one have all that the other has. */
async function pair(initial: Any) {
  const [here, there] = [await start(), await start()];
  const mine = await here.named<Any>("doc", initial);
  const theirs = await there.named<Any>("doc", initial);
  const merge = () => {
    theirs.merge(mine.export());
    mine.merge(theirs.export());
    assert.deepEqual(mine.value, theirs.value);
  };
  // What belongs to the beginning is in both from the start.
  mine.change((draft) => void (draft.begun = true));
  merge();
  pause();
  return { here, there, mine, theirs, merge };
}

const pause = () => void (now += 1_000);
const type = (doc: Doc<Any>, at: number, text: string) => {
  for (const [index, letter] of [...text].entries()) {
    doc.change((draft) => splice(draft, ["text"], at + index, 0, letter));
    now += 100;
  }
};
const erase = (doc: Doc<Any>, at: number, count: number) =>
  void doc.change((draft) => splice(draft, ["text"], at, count));

describe("undo", () => {
  it("takes steps back that a pause divides, and redo makes them again", async () => {
    const { mine } = await pair({ text: "" });
    mine.undo();
    mine.redo();
    for (const word of ["one", " two", " three"]) {
      type(mine, mine.value.text.length, word);
      pause();
    }
    const seen: string[] = [];
    mine.subscribe(({ text }: Any) => seen.push(text));
    const commit = mine.undo()!;
    await commit.saved;
    mine.undo();
    mine.redo();
    mine.undo();
    mine.undo();
    assert.deepEqual(seen, ["one two", "one", "one two", "one", ""]);
    mine.redo();
    mine.redo();
    mine.redo();
    assert.equal(mine.value.text, "one two three");
    assert.equal(mine.redo(), undefined);
    mine.undo();
    type(mine, 0, "x");
    assert.equal(mine.redo(), undefined, "something else was done");
    assert.equal(mine.value.text, "xone two");
  });

  it("takes back what was typed, removed and put back", async () => {
    const { mine } = await pair({ text: "" });
    mine.undo();
    type(mine, 0, "abc");
    pause();
    erase(mine, 1, 1);
    pause();
    mine.undo();
    assert.equal(mine.value.text, "abc");
    mine.undo();
    assert.equal(mine.value.text, "");
  });

  it("of every kind of edit gives the value of before", async () => {
    const initial = { text: "hello", list: [1, { a: 1 }, "x"], map: { deep: { n: 1 } }, count: new Counter(5) };
    const edits: ((draft: Any) => void)[] = [
      (draft) => void (draft.map.deep.n = 2),
      (draft) => void delete draft.map,
      (draft) => void (draft.fresh = { list: [1, 2, { b: 3 }] }),
      (draft) => void draft.list.splice(1, 1, "y", "z"),
      (draft) => void (draft.list[0] = { replaced: true }),
      (draft) => void draft.list.push([1], [2]),
      (draft) => draft.count.increment(3),
      (draft) => void (draft.text = "help the loser"),
      (draft) => splice(draft, ["text"], 1, 2, "EL"),
      (draft) => void draft.list.reverse(),
      (draft) => move(draft, ["list"], 0, 2),
      (draft) => {
        draft.list.shift();
        draft.map = "other";
        draft.text = draft.text.slice(1);
      },
    ];
    const { mine } = await pair(initial);
    mine.undo();
    const values = [mine.value];
    for (const edit of edits) {
      mine.change(edit);
      values.push(mine.value);
      pause();
      mine.undo();
      assert.deepEqual(mine.value, values.at(-2), String(edit));
      mine.redo();
      assert.deepEqual(mine.value, values.at(-1), String(edit));
      pause();
    }
    for (const value of values.slice(0, -1).reverse()) {
      mine.undo();
      assert.deepEqual(mine.value, value);
    }
    for (const value of values.slice(1)) {
      mine.redo();
      assert.deepEqual(mine.value, value);
    }
  });

  it("leaves what others have done", async () => {
    const { mine, theirs, merge } = await pair({ text: "hello", list: ["a"], title: new AtomicString("old") });
    mine.undo();
    type(mine, 5, " world");
    pause();
    mine.change((draft) => {
      draft.title = new AtomicString("mine");
      draft.list.unshift({ name: "card" });
    });
    merge();
    type(theirs, 0, ">> ");
    erase(theirs, 9, 1);
    type(theirs, 9, "W");
    theirs.change((draft) => {
      draft.title = new AtomicString("theirs");
      draft.list[0].name = "renamed";
      draft.list.push("b");
    });
    merge();
    mine.undo();
    assert.equal(String(mine.value.title), "theirs");
    assert.deepEqual(mine.value.list, [{ name: "renamed" }, "a", "b"]);
    mine.undo();
    assert.equal(mine.value.text, ">> helloW");
    merge();
    mine.redo();
    merge();
    assert.equal(mine.value.text.length, ">> hello orldW".length);
  });

  it("of something that others have deleted is no error, and goes on to the step before", async () => {
    const { mine, theirs, merge } = await pair({ text: "", map: { inside: { n: 0 } } });
    mine.undo();
    type(mine, 0, "kept");
    pause();
    mine.change((draft) => void (draft.map.inside.n = 1));
    merge();
    theirs.change((draft) => void delete draft.map);
    merge();
    assert.notEqual(mine.undo(), undefined);
    assert.equal(mine.value.text, "");
    assert.equal(mine.undo(), undefined);
  });

  it("ends a step where others edit what it touches, and only there", async () => {
    const { mine, theirs, merge } = await pair({ text: "0123456789" });
    mine.undo();
    type(mine, 10, "ab");
    merge();
    type(theirs, 0, "x");
    merge();
    type(mine, 13, "cd");
    mine.undo();
    assert.equal(mine.value.text, "x0123456789", "one step, as the other was elsewhere");
    pause();
    type(mine, 11, "ab");
    merge();
    type(theirs, 12, "-");
    merge();
    type(mine, 14, "cd");
    mine.undo();
    assert.equal(mine.value.text, "x0123456789a-b");
    mine.undo();
    assert.equal(mine.value.text, "x0123456789-");
  });

  it("keeps marks, of text that is put back too", async () => {
    const { mine, theirs, merge } = await pair({ text: "hello world" });
    mine.undo();
    mine.change((draft) => mark(draft, ["text"], { start: 0, end: 5 }, "bold", true));
    pause();
    const marked = mine.spans(["text"]);
    mine.change((draft) => splice(draft, ["text"], 0, 8));
    pause();
    mine.undo();
    assert.deepEqual(mine.spans(["text"]), marked);
    mine.undo();
    assert.deepEqual(mine.spans(["text"]), [{ text: "hello world", marks: {} }]);
    mine.redo();
    assert.deepEqual(mine.spans(["text"]), marked);
    merge();
    theirs.change((draft) => splice(draft, ["text"], 0, 0, "oh "));
    merge();
    mine.undo();
    assert.deepEqual(mine.spans(["text"]), [{ text: "oh hello world", marks: {} }]);
  });

  it("of the space takes back a transaction in all its documents, and nothing else with it", async () => {
    const here = await start();
    const [a, b] = [here.create<Any>({ n: 0, text: "" }), here.create<Any>({ n: 0 })];
    assert.equal(here.undo(), undefined, "to make a document is no step");
    type(a, 0, "ab");
    here.transact(() => [a, b].forEach((doc) => doc.change((draft) => void (draft.n = 1))));
    type(a, 2, "cd");
    here.undo();
    assert.deepEqual([a.value, b.value], [{ n: 1, text: "ab" }, { n: 1 }]);
    here.undo();
    assert.deepEqual([a.value, b.value], [{ n: 0, text: "ab" }, { n: 0 }]);
    here.undo();
    assert.equal(a.value.text, "");
    assert.equal(here.undo(), undefined);
    here.redo();
    here.redo();
    assert.deepEqual([a.value, b.value], [{ n: 1, text: "ab" }, { n: 1 }]);
    b.undo();
    assert.deepEqual([a.value, b.value], [{ n: 1, text: "ab" }, { n: 0 }]);
    here.delete(b.id);
    here.undo();
    assert.deepEqual(a.value, { n: 0, text: "ab" });
  });

  it("tells whether there is something to undo and to redo", async () => {
    const here = await start();
    const doc = here.create<Any>({ n: 0 });
    const told: unknown[] = [];
    const { subscribeUndo } = here;
    const stop = subscribeUndo(({ canUndo, canRedo }) => told.push([canUndo, canRedo]));
    const { undoState } = here;
    assert.deepEqual(undoState, { canUndo: false, canRedo: false });
    assert.equal(here.undoState, undoState);
    doc.change((draft) => void (draft.n = 1));
    await Promise.resolve();
    here.undo();
    await Promise.resolve();
    here.redo();
    await Promise.resolve();
    stop();
    here.undo();
    await Promise.resolve();
    assert.deepEqual(told, [
      [true, false],
      [false, true],
      [true, false],
    ]);
  });

  it("goes on after a reload, with what is not undone yet", async () => {
    mock.restoreAll();
    const folder = await mkdtemp(join(tmpdir(), "eyot-undo-"));
    try {
      const before = await start(directory(folder));
      const made = before.create<Any>({ text: "", n: 0 });
      made.change((draft) => splice(draft, ["text"], 0, 0, "kept "));
      made.change((draft) => void (draft.n = 1));
      // Steps of an earlier session are known to the second.
      const { time } = made.history()[1]!;
      while (Math.floor(Date.now() / 1_000) <= time / 1_000) await new Promise((resolve) => setTimeout(resolve, 50));
      made.change((draft) => splice(draft, ["text"], 5, 0, "gone"));
      before.undo();
      made.change((draft) => splice(draft, ["text"], 5, 0, "last"));
      await before.close();
      const after = await start(directory(folder));
      const doc = await after.open<Any>(made.id);
      assert.equal(doc.value.text, "kept last");
      after.undo();
      assert.equal(doc.value.text, "kept ");
      after.redo();
      assert.equal(doc.value.text, "kept last");
      after.undo();
      after.undo();
      assert.deepEqual(doc.value, { text: "", n: 0 });
      assert.equal(after.undo(), undefined);
    } finally {
      for (const space of open.splice(0)) await space.close();
      await rm(folder, { recursive: true });
    }
  });
});
