/** Live queries: what they give is what a look at every document would. */
import assert from "node:assert/strict";
import { MessageChannel } from "node:worker_threads";
import { describe, it } from "node:test";
import fc from "fast-check";
import { alike, compare } from "../src/value/order.js";
import {
  Counter,
  customStore,
  memory,
  openSpace,
  type Doc,
  type DocId,
  type LiveQuery,
  type Query,
  type Space,
} from "./eyot.js";
import { MemoryStore } from "./memory-store.js";

type Any = any;
interface Note {
  n: number;
  tag?: string;
}

/** Queries of every kind. */
const QUERIES: readonly Query<Note>[] = [
  {},
  { where: { tag: "a" } },
  { where: ({ n }) => n % 2 === 0, orderBy: "n" },
  { orderBy: "n", descending: true, limit: 3 },
  { where: ({ tag }) => tag !== "b", orderBy: "tag", limit: 4 },
];

/** What the query gives, computed from the values of all documents. */
function fromScratch(query: Query<Note>, values: ReadonlyMap<DocId, Note>): { id: DocId; value: Note }[] {
  const { where = () => true, orderBy, descending = false, limit = Infinity } = query;
  const matches = (value: Any): boolean =>
    typeof where === "function" ? where(value) : Object.entries(where).every(([key, part]) => alike(value[key], part));
  const found = [...values].map(([id, value]) => ({ id, value })).filter(({ value }) => matches(value));
  const by = ({ value }: { value: Note }): unknown => (orderBy === undefined ? undefined : value[orderBy]);
  found.sort((a, b) => (descending ? -1 : 1) * compare(by(a), by(b)));
  return found.slice(0, limit);
}

/** Equal in all but the order of what is ordered alike. */
function agree(query: Query<Note>, live: LiveQuery<Note>, values: ReadonlyMap<DocId, Note>): boolean {
  const expected = fromScratch({ ...query, limit: undefined }, values);
  const { orderBy, limit = Infinity } = query;
  const { results } = live;
  const by = ({ value }: { value: Note }): unknown => (orderBy === undefined ? undefined : value[orderBy]);
  return (
    results.length === Math.min(limit, expected.length) &&
    new Set(results.map(({ id }) => id)).size === results.length &&
    results.every((found, index) => {
      const held = expected.find(({ id }) => id === found.id);
      return held !== undefined && alike(held.value, found.value) && compare(by(found), by(expected[index]!)) === 0;
    })
  );
}

const step = fc.record({
  act: fc.constantFrom("create", "change", "change", "delete", "transact", "throw", "undo", "redo", "close", "open"),
  which: fc.nat(1000),
  n: fc.nat(9),
  tag: fc.constantFrom("a", "b", undefined),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Documents as an application has them. */
class Application {
  readonly docs: Doc<Note>[] = [];

  constructor(readonly space: Space) {}

  async do({ act, which, n, tag }: Step): Promise<void> {
    const { space } = this;
    this.docs.splice(0, this.docs.length, ...this.docs.filter((doc) => !doc.deleted));
    const doc = this.docs[which % Math.max(1, this.docs.length)];
    const set = (draft: Any): void => {
      draft.n = n;
      if (tag === undefined) delete draft.tag;
      else draft.tag = tag;
    };
    switch (act) {
      case "create":
        this.docs.push(space.create<Note>(tag === undefined ? { n } : { n, tag }));
        break;
      case "change":
        doc?.change(set);
        break;
      case "delete":
        if (doc !== undefined) space.delete(doc.id);
        break;
      case "transact":
        space.transact(() => {
          doc?.change(set);
          this.docs.push(space.create<Note>({ n: n + 1 }));
        });
        break;
      case "throw":
        assert.throws(() =>
          space.transact(() => {
            doc?.change(set);
            space.create<Note>({ n: 100 });
            if (doc !== undefined) space.delete(doc.id);
            throw new Error("no");
          }),
        );
        break;
      case "undo":
        space.undo();
        break;
      case "redo":
        space.redo();
        break;
      case "close":
        if (doc !== undefined) this.docs.splice(this.docs.indexOf(doc), 1);
        doc?.close();
        break;
      case "open": {
        const all = space.documents();
        const info = all[which % Math.max(1, all.length)];
        if (info === undefined) break;
        // Another replica may delete it meanwhile.
        const opened = await space.open<Note>(info.id).catch(() => undefined);
        if (opened !== undefined) this.docs.push(opened);
        break;
      }
    }
  }
}

/** The values of all documents of a space, each opened for that. */
async function valuesOf(space: Space): Promise<Map<DocId, Note>> {
  const values = new Map<DocId, Note>();
  for (const { id } of space.documents()) {
    const doc = await space.open<Note>(id).catch(() => undefined);
    if (doc !== undefined && !doc.deleted) values.set(id, doc.value);
    doc?.close();
  }
  return values;
}

describe("a live query", () => {
  it("has at once what was done here, whatever that was", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), (steps) =>
        inSpace(async (space) => {
          const queries = QUERIES.map((query) => space.query<Note>(query));
          await Promise.all(queries.map(({ ready }) => ready));
          const application = new Application(space);
          for (const step of steps) {
            await application.do(step);
            const before = queries.map(({ results }) => results);
            const values = await valuesOf(space);
            queries.forEach((live, index) => {
              assert.ok(agree(QUERIES[index]!, live, values), `query ${index} after ${step.act}`);
              assert.ok(alike(before[index], live.results), `query ${index} at once after ${step.act}`);
            });
          }
        }),
      ),
      { numRuns: 40 },
    ));

  it("comes to what two replicas have made of the documents, open or not", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.boolean(), step), { maxLength: 30 }), (steps) =>
        inSpace((ours) =>
          inSpace(async (theirs) => {
            const queries = QUERIES.map((query) => ours.query<Note>(query));
            link(ours, theirs);
            const applications = [new Application(ours), new Application(theirs)];
            for (const [isOurs, step] of steps) await applications[isOurs ? 0 : 1]!.do(step);
            // What the other one has done comes some time.
            const isThere = async (): Promise<boolean> => {
              const [values, others] = await Promise.all([valuesOf(ours), valuesOf(theirs)]);
              const isEqual = values.size === others.size && [...values].every(([id, v]) => alike(others.get(id), v));
              return isEqual && queries.every((live, index) => agree(QUERIES[index]!, live, values));
            };
            while (!(await isThere())) await new Promise((resolve) => setTimeout(resolve, 5));
          }),
        ),
      ),
      { numRuns: 15 },
    ));

  it("has the documents of before, without any of them being opened", async () => {
    const entries = new Map<string, Uint8Array>();
    const storage = () => customStore(() => new MemoryStore(entries));
    const first = await openSpace("test", { storage: storage() });
    for (let n = 0; n < 30; n++) first.create<Note>({ n, tag: n % 3 === 0 ? "a" : "b" });
    await first.close();
    const space = await openSpace("test", { storage: storage() });
    const query = space.query<Note>({ where: { tag: "a" }, orderBy: "n", descending: true, limit: 4 });
    assert.equal(query.results.length, 0);
    await query.ready;
    assert.deepEqual(
      query.results.map(({ value }) => value.n),
      [27, 24, 21, 18],
    );
    await space.close();
  });

  it("tells subscribers each time that its results are others, and only then", () =>
    inSpace(async (space) => {
      const query = space.query<Note>({ where: ({ n }) => n < 10, orderBy: "n", limit: 2 });
      await query.ready;
      const told: number[][] = [];
      query.subscribe((results) => told.push(results.map(({ value }) => value.n)));
      const doc = space.create<Note>({ n: 5 });
      await space.saved();
      space.create<Note>({ n: 7 });
      await space.saved();
      const { results } = query;
      space.create<Note>({ n: 8 });
      space.create<Note>({ n: 20 });
      await space.saved();
      assert.equal(query.results, results);
      doc.change((draft) => void (draft.n = 9));
      const first = (): number | undefined => query.results[0]?.value.n;
      assert.equal(first(), 7);
      assert.deepEqual(told, [[5], [5, 7], [7, 8]]);
      query.close();
      space.create<Note>({ n: 0 });
      await space.saved();
      assert.equal(told.length, 3);
      assert.equal(first(), 7);
      assert.throws(() => query.subscribe(() => undefined), { code: "closed" });
    }));

  it("shares what has not changed, and its ids open documents", () =>
    inSpace(async (space) => {
      const doc = space.create<Note>({ n: 1 });
      space.create<Note>({ n: 2 });
      const query = space.query<Note>({ orderBy: "n" });
      await query.ready;
      const [, second] = query.results;
      doc.change((draft) => void (draft.n = 0));
      assert.equal(query.results[1], second);
      assert.equal(query.results[0]!.value, doc.value);
      assert.equal(query.results[0]!.id, doc.id);
      assert.ok(Object.isFrozen(query.results) && Object.isFrozen(second));
    }));

  it("leaves out a document that its function fails for, and says so", () =>
    inSpace(async (space) => {
      const reported: unknown[] = [];
      const { error } = console;
      console.error = (...args: unknown[]) => reported.push(args[1]);
      try {
        space.create<Any>({ list: [1] });
        space.create<Any>({});
        const query = space.query<Any>({ where: ({ list }) => list.length > 0 });
        await query.ready;
        await space.saved();
        assert.equal(query.results.length, 1);
        assert.ok(reported.length > 0 && reported.every((one) => one instanceof TypeError));
      } finally {
        console.error = error;
      }
    }));

  it("orders values of different kinds, and finds equal ones of each", () =>
    inSpace(async (space) => {
      const values = ["b", 2, null, new Date(5), true, "a", new Counter(1), undefined, { x: [1] }];
      for (const by of values) space.create<Any>(by === undefined ? {} : { by });
      const query = space.query<Any>({ orderBy: "by" });
      await query.ready;
      assert.deepEqual(
        query.results.map(({ value }) => value.by),
        [undefined, null, true, new Counter(1), 2, new Date(5), "a", "b", { x: [1] }],
      );
      for (const by of values) {
        const found = space.query<Any>({ where: { by } });
        await found.ready;
        assert.deepEqual(
          found.results.map(({ value }) => value.by),
          [by],
        );
      }
    }));

  it("ends with its space", async () => {
    const space = await openSpace("test", { storage: memory() });
    space.create<Note>({ n: 1 });
    const query = space.query<Note>({});
    await query.ready;
    const late = space.query<Note>({ where: { n: 1 } });
    await space.close();
    assert.equal(query.results.length, 1);
    await late.ready.catch(() => undefined);
    query.close();
    late.close();
    assert.throws(() => space.query({}), { code: "closed" });
  });
});

function link(a: Space, b: Space): void {
  const { port1, port2 } = new MessageChannel();
  a.connect(port1 as Any);
  b.connect(port2 as Any);
}

async function inSpace(test: (space: Space) => Promise<void> | void): Promise<void> {
  const space = await openSpace("test", { storage: memory() });
  try {
    await test(space);
  } finally {
    await space.close();
  }
}
