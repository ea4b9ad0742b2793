/** Values that a draft hands out and takes: bytes and dates that are edited in place, and undefined. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { record } from "../src/draft/record.js";
import { EyotError } from "../src/base/error.js";
import { PUT, type Op } from "../src/value/op.js";
import { snapshotRoot } from "../src/value/snapshot.js";

type Any = any;

function edit(initial: object, fn: (draft: Any) => unknown): { value: Any; ops: readonly Op[] } {
  return record(snapshotRoot(initial) as Any, fn);
}

function refuses(code: EyotError["code"], fn: () => unknown): void {
  assert.throws(fn, (error) => error instanceof EyotError && error.code === code);
}

describe("undefined", () => {
  it("removes a key, and a key that is undefined is not there", () => {
    const { value, ops } = edit({ a: 1, b: { c: 2 } }, (draft) => {
      draft.a = undefined;
      draft.missing = undefined;
      draft.d = { e: undefined, f: [{ g: undefined }] };
      Object.assign(draft.b, { c: undefined, h: 3 });
      assert.equal("a" in draft, false);
    });
    assert.deepEqual(value, { b: { h: 3 }, d: { f: [{}] } });
    assert.equal(ops.length, 4);
  });

  it("is no item of a list", () => {
    edit({ list: [1] }, ({ list }) => {
      refuses("invalid", () => list.push(undefined));
      refuses("invalid", () => (list[0] = undefined));
    });
  });
});

describe("bytes and dates", () => {
  const initial = () => ({
    bytes: Uint8Array.of(1, 2, 3),
    date: new Date(5),
    list: [{ bytes: Uint8Array.of(7) }, new Date(6)],
  });

  it("that are edited in place are a change, and the value before stays", () => {
    const before = snapshotRoot(initial()) as Any;
    const { value, ops } = record(before, (draft: Any) => {
      draft.bytes[0] = 99;
      draft.date.setTime(50);
      draft.list[0].bytes.fill(8);
      draft.list[1].setTime(60);
      assert.equal(draft.bytes[0], 99);
      assert.equal(draft.bytes, draft.bytes);
      assert.equal(draft.date.getTime(), 50);
    }) as Any;
    assert.deepEqual(before, initial());
    assert.deepEqual(value, {
      bytes: Uint8Array.of(99, 2, 3),
      date: new Date(50),
      list: [{ bytes: Uint8Array.of(8) }, new Date(60)],
    });
    assert.deepEqual(
      ops.map(([kind, path]: Any) => [kind, path.join(".")]),
      [
        [PUT, "bytes"],
        [PUT, "date"],
        [PUT, "list.0.bytes"],
        [PUT, "list.1"],
      ],
    );
  });

  it("that are only read are no change", () => {
    const before = snapshotRoot(initial()) as Any;
    const { value, ops } = record(before, (draft: Any) => {
      draft.bytes[0] = 9;
      draft.bytes[0] = 1;
      draft.date.setTime(draft.date.getTime());
      draft.bytes = draft.bytes;
      assert.equal(draft.list[0].bytes.length, 1);
    }) as Any;
    assert.equal(value, before);
    assert.deepEqual(ops, []);
  });

  it("move along with what they are in, edited in place or not", () => {
    const { value } = edit(initial(), (draft) => {
      draft.list[0].bytes[0] = 70;
      draft.list.unshift("first");
      draft.copy = draft.list[1];
      const [taken] = draft.list.splice(1, 1);
      draft.taken = taken;
      draft.list[1].setTime(61);
      draft.bytes[0] = 5;
      draft.moved = draft.bytes;
      delete draft.bytes;
    });
    assert.deepEqual(value, {
      date: new Date(5),
      list: ["first", new Date(61)],
      copy: { bytes: Uint8Array.of(70) },
      taken: { bytes: Uint8Array.of(70) },
      moved: Uint8Array.of(5, 2, 3),
    });
  });

  it("are put back by an assignment of what was there", () => {
    const before = snapshotRoot(initial()) as Any;
    const { value } = record(before, (draft: Any) => {
      draft.bytes[0] = 9;
      draft.bytes = before.bytes;
      draft.list[0].bytes[0] = 9;
      draft.list[0] = before.list[0];
    }) as Any;
    assert.deepEqual(value, initial());
  });

  it("belong to the application once their change is over", () => {
    let bytes!: Uint8Array;
    const { value } = edit(initial(), (draft) => {
      bytes = draft.bytes;
      bytes[0] = 9;
    });
    bytes[1] = 9;
    assert.deepEqual(value.bytes, Uint8Array.of(9, 2, 3));
  });

  it("that were sent to another thread are not edited by that", () => {
    const { ops } = edit(initial(), ({ bytes }) => {
      structuredClone(bytes, { transfer: [bytes.buffer] });
      assert.equal(bytes.length, 0);
    });
    assert.deepEqual(ops, []);
  });

  it("an invalid date refuses the change", () => {
    refuses("invalid", () => edit(initial(), (draft) => void draft.date.setTime(NaN)));
  });

  it("a date of a value cannot be set", () => {
    const { date } = snapshotRoot(initial()) as Any;
    refuses("invalid", () => date.setTime(0));
    refuses("invalid", () => date.setFullYear(2000));
    assert.equal(date.getTime(), 5);
    const own = new Date(date);
    own.setTime(0);
    assert.deepEqual(structuredClone(date), new Date(5));
  });
});
