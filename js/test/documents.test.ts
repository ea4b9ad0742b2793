/**
 * Laws over random edits of every kind. Two replicas and a relay whose links break: they end with the same documents, and
 * Automerge's own package reads the same in their files. One replica: undoing all gives the beginning, redoing all the end.
 */
import * as Automerge from "@automerge/automerge";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { AtomicString, Counter, mark, memory, move, openSpace, splice, type Doc, type Space } from "./eyot.js";
import { bump, deepen, scalarOf } from "./random-edits.js";
import { TestRelay } from "./relay.js";

type Any = any;

const text = fc.string({ unit: fc.constantFrom("a", "b", " ", "é", "😀"), maxLength: 6 });
const scalar = scalarOf(text);
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("x", "y"), fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })), {
    noNullPrototype: true,
  }),
);
const edit = fc.record({ what: fc.nat(11), where: fc.nat(30), value });
type Edit = { what: number; where: number; value: unknown };

const begin = () => ({ list: ["first", { n: 1 }], text: "hello world", inside: { text: "deep", list: [] } });

function run(draft: Any, { what, where, value }: Edit): void {
  const owner = where % 4 === 0 && draft.inside?.list !== undefined ? draft.inside : draft;
  const { list } = owner;
  const at = list.length === 0 ? 0 : where % list.length;
  const key = `k${where % 3}`;
  const index = Math.min(where, owner.text.length);
  if (what === 0) list.splice(at, 0, value, where);
  else if (what === 1) list.splice(at, where % 3);
  else if (what === 2) list[at] = value;
  else if (what === 3) owner[key] = value;
  else if (what === 4) delete owner[key];
  else if (what === 5) splice(owner, ["text"], index, where % 4, "ab😀");
  else if (what === 6)
    owner.text = `${owner.text.slice(0, 3)}${String(value).slice(0, 3)}${owner.text.slice(where % 7)}`;
  else if (what === 7) bump(owner[key]) || bump(list[at]);
  else if (what === 8) deepen(owner[key], value) || deepen(list[at], value);
  else if (what === 9) list.sort((a: unknown, b: unknown) => String(a).length - String(b).length);
  else if (what === 10 && list.length > 0) move(owner, ["list"], at, list.length - 1 - at);
  else mark(owner, ["text"], { start: index >> 1, end: index }, where % 2 ? "bold" : "link", where % 5 ? "x" : null);
}

/** Value, marks, and what the core says of both. */
function shown(doc: Doc<Any>): unknown {
  assert.deepEqual(doc.at(doc.heads), doc.value, "the core has another value");
  return [doc.value, doc.spans(["text"]), doc.value.inside && doc.spans(["inside", "text"])];
}

/** Adds what a document shows now, if that is something else. */
function note(states: unknown[], doc: Doc<Any>): void {
  const now = shown(doc);
  if (!isDeepStrictEqual(now, states.at(-1))) states.push(now);
}

describe("whatever is edited", () => {
  it("undoing all gives the beginning, and redoing all the end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(edit, { maxLength: 4 }), { maxLength: 6 }), async (steps) => {
        const space = await openSpace("test", { storage: memory() });
        try {
          const doc = space.create<Any>(begin());
          assert.equal(space.undo(), undefined);
          const states = [shown(doc)];
          // Each of these is a step of its own. Some change nothing that can be seen.
          for (const edits of steps) {
            space.transact(() => edits.forEach((edit) => doc.change((draft) => run(draft, edit))));
            note(states, doc);
          }
          const back = [shown(doc)];
          while (doc.undo()) note(back, doc);
          assert.deepEqual(back.reverse(), states);
          const forth = [shown(doc)];
          while (doc.redo()) note(forth, doc);
          assert.deepEqual(forth, states);
        } finally {
          await space.close();
        }
      }),
      { numRuns: 100 },
    );
  });

  it("two replicas and a relay with faults end with the same documents, as Automerge reads them", async () => {
    const act = fc.record({
      who: fc.nat(1),
      how: fc.constantFrom(..."eeeeeettxuurRnodfwww"),
      doc: fc.nat(3),
      edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        const relay = await TestRelay.start("eu");
        const spaces = [await start(relay), await start(relay)];
        try {
          const docs = [await copies(spaces), await copies(spaces)];
          for (const act of acts) await perform(relay, spaces, docs, act);
          for (const space of spaces) space.setOnline(true);
          for (const space of spaces) await space.durable();
          for (const space of spaces) await space.synced();
          const [here, there] = spaces;
          assert.deepEqual(ids(here!), ids(there!));
          for (const [mine, theirs] of docs) {
            assert.equal(mine!.deleted, theirs!.deleted);
            if (mine!.deleted) continue;
            assert.deepEqual(shown(mine!), shown(theirs!));
            const read = Automerge.load<Any>(mine!.export());
            assert.deepEqual(spelt(mine!.value), spelt(read));
            assert.deepEqual([...mine!.heads].sort(), [...Automerge.getHeads(read)].sort());
            assert.deepEqual(spelt(mine!.spans(["text"])), spelt(spansOf(read)));
          }
          assert.equal(here!.status.quarantined + there!.status.quarantined, 0);
        } finally {
          for (const space of spaces) await space.close();
          await relay.stop();
        }
      }),
      { numRuns: 25 },
    );
  });
});

interface Act {
  who: number;
  how: string;
  doc: number;
  edits: Edit[];
}

async function perform(relay: TestRelay, spaces: Space[], docs: Doc<Any>[][], act: Act): Promise<void> {
  const { who, how, edits } = act;
  const space = spaces[who]!;
  const doc = docs[act.doc % docs.length]![who]!;
  const isThere = (doc: Doc<Any>) => !doc.deleted;
  const change = (doc: Doc<Any>) => doc.change((draft) => edits.forEach((edit) => run(draft, edit)));
  const all = docs.map((copies) => copies[who]!).filter(isThere);
  if (how === "e" && isThere(doc)) change(doc);
  else if (how === "t") space.transact(() => all.forEach(change));
  else if (how === "x") assert.throws(() => space.transact(() => (all.forEach(change), assert.fail("x"))), /x/);
  else if (how === "u" && isThere(doc)) doc.undo();
  else if (how === "r" && isThere(doc)) doc.redo();
  else if (how === "R") space.redo() ?? space.undo();
  // A document begins where both are linked, so that the other can open it.
  else if (how === "n" && spaces.every(({ online }) => online)) docs.push(await copies(spaces));
  else if (how === "d" && act.doc === 3 && docs.length > 1 && isThere(doc)) space.delete(doc.id);
  else if (how === "o") space.setOnline(!space.online);
  else if (how === "f") relay.cut();
  else if (how === "w") await new Promise((resolve) => setImmediate(resolve));
}

const start = (relay: TestRelay) => openSpace("test", { storage: memory(), relays: [relay.address] });

/** A new document at both replicas. */
async function copies([here, there]: Space[]): Promise<Doc<Any>[]> {
  const mine = here!.create<Any>(begin());
  await mine.created!.durable();
  return [mine, await there!.open<Any>(mine.id)];
}

const ids = (space: Space) =>
  space
    .documents()
    .map(({ id }) => id)
    .sort();

function spansOf(read: Any): unknown {
  const spans = Automerge.spans(read, ["text"]) as { value: unknown; marks?: unknown }[];
  return spans.map(({ value, marks }) => ({ text: value, marks: marks ?? {} }));
}

/** A value with its types spelt out, so that the two packages' values compare. */
function spelt(value: Any): unknown {
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (value instanceof Counter || value instanceof Automerge.Counter) return { counter: Number(value) };
  if (value instanceof AtomicString || Automerge.isImmutableString(value)) return { atomic: String(value) };
  if (Array.isArray(value)) return value.map(spelt);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, spelt(part)]));
}
