/** Callbacks that call back, throw or reject; values and times at the edge of what is allowed. The space works on. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { EyotError, memory, openSpace, type Doc, type Space } from "./eyot.js";

type Any = any;

const HALF = "a\ud83d";
const own = new RangeError("mine");
const thrower = (): never => {
  throw own;
};

let space: Space;
let doc: Doc<Any>;

before(async () => {
  space = await openSpace("edge-cases", { storage: memory() });
  doc = space.create<Any>({ n: 1 });
});
after(() => space.close());

describe("numbers and texts at the edge", () => {
  it("are held as they are, or as what is nearest", async () => {
    const edge = space.create<Any>({
      numbers: [NaN, Infinity, -Infinity, -0, 2 ** 53, Number.MAX_VALUE, Number.MIN_VALUE, 7n],
      text: HALF,
      [HALF]: "",
      "": { "": [] },
      nul: "\0",
      far: new Date(8.64e15),
      none: undefined,
    });
    const { value, id } = edge;
    assert.deepEqual(value.numbers, [NaN, Infinity, -Infinity, -0, 2 ** 53, Number.MAX_VALUE, Number.MIN_VALUE, 7]);
    assert.deepEqual(Object.keys(value), ["", "a\ufffd", "far", "nul", "numbers", "text"]);
    await space.saved();
    edge.close();
    const again = await space.open<Any>(id);
    assert.deepEqual(again.value, { ...value });
    assert.notEqual(again.value, value);
    again.close();
  });

  it("a wait longer than a timer takes waits", async () => {
    const controller = new AbortController();
    const relayed = await openSpace("long", { storage: memory(), relays: ["ws://127.0.0.1:9"] });
    let settled = 0;
    const waits = [2 ** 31, 30 * 24 * 3_600_000, Number.MAX_VALUE, Infinity].map((timeout) =>
      relayed.synced({ timeout, signal: controller.signal }).finally(() => (settled += 1)),
    );
    await assert.rejects(relayed.synced({ timeout: 20 }), { code: "timeout", message: /20 ms/ });
    assert.equal(settled, 0);
    controller.abort();
    for (const wait of waits) await assert.rejects(wait, { code: "aborted" });
    await relayed.close();
  });
});

describe("callbacks that call back", () => {
  it("a change that closes or deletes what it changes is refused", async () => {
    for (const end of ["close", "delete", "space"] as const) {
      const other = await openSpace("ends", { storage: memory() });
      const ended = other.create<Any>({ n: 1 });
      const error = await failure(() =>
        ended.change((draft) => {
          draft.n = 2;
          if (end === "close") ended.close();
          else if (end === "delete") other.delete(ended.id);
          else void other.close();
        }),
      );
      assert.equal((error as EyotError).code, end === "delete" ? "not-found" : "closed");
      assert.equal(ended.value.n, 1);
      if (end === "close") assert.equal((await other.open<Any>(ended.id)).value.n, 1);
      await other.close();
    }
    await worksOn();
  });

  it("a listener may close, delete, unsubscribe, subscribe and edit", async () => {
    const other = await openSpace("calls-back", { storage: memory() });
    const first = other.create<Any>({ n: 0 });
    const second = other.create<Any>({ n: 0 });
    const heard: string[] = [];
    const stop = first.subscribe(() => {
      heard.push("first");
      stop();
      stop();
      first.subscribe(() => heard.push("inner"));
      second.change((draft) => void (draft.n = 1));
      other.delete(second.id);
    });
    second.subscribe((_, { deleted }) => {
      heard.push(deleted ? "deleted" : "second");
      if (deleted) void other.close();
    });
    first.change((draft) => void (draft.n = 1));
    assert.deepEqual(heard, ["first", "second", "deleted"]);
    await other.close();
    assert.equal(other.status.state, "closed");
    await worksOn();
  });

  it("a listener that throws, rejects or is async is reported, and the rest goes on", async () => {
    const reported: unknown[] = [];
    Object.assign(globalThis, { reportError: (error: unknown) => reported.push(error) });
    let heard = 0;
    const stops = [
      doc.subscribe(thrower),
      doc.subscribe((async () => thrower()) as Any),
      space.subscribe(thrower),
      space.subscribeDocuments(thrower),
      doc.subscribe(() => (heard += 1)),
    ];
    await worksOn();
    await new Promise((resolve) => setImmediate(resolve));
    stops.forEach((stop) => stop());
    delete (globalThis as Any).reportError;
    assert.ok(heard > 0);
    assert.ok(reported.length >= 3);
    assert.ok(reported.every((error) => error === own));
  });
});

/** What a call throws or rejects with; undefined where it does neither. */
async function failure(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

let runs = 0;

/** The space and its document still do what they should. */
async function worksOn(): Promise<void> {
  runs += 1;
  const { saved } = doc.change((draft) => void (draft.runs = runs));
  assert.equal(doc.value.runs, runs);
  await saved;
  const made = space.create({ n: runs });
  assert.equal((await space.open<{ n: number }>(made.id)).value.n, runs);
  assert.equal(space.status.error, undefined);
  assert.notEqual(space.status.state, "closed");
}
