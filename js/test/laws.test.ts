import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeAny, decodePatches, decodeValue, encode } from "../src/value/codec.js";
import { patchesOf, DELETE, INCREMENT, INSERT, PUT, RETEXT, SPLICE, type Op } from "../src/value/op.js";
import { applyPatches } from "../src/value/apply.js";
import { record, splice } from "../src/draft/record.js";
import { align, applyEdit, difference, wellFormed } from "../src/value/text.js";
import { snapshotRoot, thaw } from "../src/value/snapshot.js";
import { AtomicString, Counter, setKey } from "../src/value/value.js";

type Any = any;

const KEYS = ["a", "b", "c", "list", "__proto__"];
const text = fc.string({ unit: fc.constantFrom("a", "b", "é", "😀", "\ud83d", "\ude00"), maxLength: 6 });
const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  text,
  text.map((string) => new AtomicString(string)),
  fc.integer({ min: -9, max: 9 }).map((value) => new Counter(value)),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 4 }),
);
const json = fc.letrec<{ value: unknown; map: object }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    tie("map"),
  ),
  map: fc.dictionary(fc.constantFrom(...KEYS), tie("value"), { maxKeys: 4 }),
}));
/** Numbers that choose, step by step, what is done where. */
const moves = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000), fc.nat(1000), json.value), { maxLength: 25 });

describe("for any edits of any document", () => {
  it("the draft's value is what the edits make of plain data", () => {
    forAll((before, edits) => {
      const { value, ops } = run(before, edits);
      const plain = { root: thaw(before) };
      for (const op of ops) replay(plain, op);
      assert.deepEqual(value, plain.root);
    });
  });

  it("the patches of the edits make the same value, and share what they do not touch", () => {
    forAll((before, edits) => {
      const { value, ops, before: texts } = run(before, edits);
      const patched = applyPatches(before, patchesOf(ops, texts));
      assert.deepEqual(patched, value);
      for (const key of Object.keys(before)) {
        const untouched = ops.every((op) => op[1][0] !== key);
        if (untouched) assert.equal(patched[key], before[key]);
      }
      assert.ok(frozen(patched) && frozen(value));
    });
  });

  it("the value before is as it was", () => {
    forAll((before, edits) => {
      const copy = thaw(before);
      run(before, edits);
      assert.deepEqual(before, copy);
    });
  });

  it("edits cross as CBOR and come back the same", () => {
    forAll((before, edits) => {
      const { value, ops, before: texts } = run(before, edits);
      assert.deepEqual(decodeValue(encode(value)), value);
      const patches = patchesOf(ops, texts);
      assert.deepEqual(decodePatches(encode(patches)), patches);
      assert.doesNotThrow(() => encode(ops));
    });
  });
});

describe("for any text", () => {
  it("the difference turns one into the other and cuts no character", () => {
    fc.assert(
      fc.property(text.map(wellFormed), text.map(wellFormed), (before, after) => {
        const edit = difference(before, after);
        assert.equal(applyEdit(before, edit), after);
        assert.equal(wellFormed(edit.insert), edit.insert);
        assert.deepEqual(align(before, edit.start, edit.remove, edit.insert), edit);
      }),
      { numRuns: 2000 },
    );
  });

  it("an aligned edit leaves well-formed text", () => {
    fc.assert(
      fc.property(text.map(wellFormed), fc.nat(8), fc.nat(8), text.map(wellFormed), (before, start, remove, insert) => {
        fc.pre(start + remove <= before.length);
        const after = applyEdit(before, align(before, start, remove, insert));
        assert.equal(wellFormed(after), after);
      }),
      { numRuns: 2000 },
    );
  });
});

it("numbers keep their kind: whole ones as integers, others as 64-bit floats, minus zero too", () => {
  for (const number of [0, 1, -1, 2 ** 53 - 1, -(2 ** 53) + 1, 1.5, 1e300, 2 ** 60, -0, NaN, Infinity]) {
    assert.ok(Object.is((decodeValue(encode({ number })) as Any).number, number), String(number));
  }
  assert.equal(encode(1.5).length, 9);
  assert.equal(decodeValue(Uint8Array.of(0x81, 0x1b, 0x40, 0, 0, 0, 0, 0, 0, 0))[0 as Any], 2 ** 62);
});

describe("for any bytes", () => {
  it("what is cut, or has more after it, is no value", () => {
    fc.assert(
      fc.property(json.value, fc.nat(1000), (value, cut) => {
        const bytes = encode(value);
        assert.throws(() => decodeAny(bytes.subarray(0, cut % bytes.length)));
        assert.throws(() => decodeAny(Uint8Array.of(...bytes, 0)));
      }),
    );
  });

  it("they are a value or an error, and no length takes memory for what is not there", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          decodeAny(bytes);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }),
      { numRuns: 2000 },
    );
    for (const major of [0x5a, 0x7a, 0x9a, 0xba]) {
      assert.throws(() => decodeAny(Uint8Array.of(major, 0xff, 0xff, 0xff, 0xff, 0)));
    }
    assert.throws(() => decodeAny(new Uint8Array(100_000).fill(0x81)));
    assert.throws(() => decodeAny(Uint8Array.of(0xa1, 1, 2)), "keys are texts");
  });
});

it("texts keep every character, short or long, a byte order mark too", () => {
  for (const text of ["", "é", "\ufeffa", "a\ufeff", "x".repeat(23), "x".repeat(24), "é".repeat(99), "__proto__"]) {
    assert.equal(decodeAny(encode(text)), text);
    assert.deepEqual(Object.keys(decodeValue(encode(Object.fromEntries([[text, 1]])))), [text]);
  }
});

function forAll(law: (before: Any, edits: Any[]) => void): void {
  fc.assert(
    fc.property(json.map, moves, (initial, edits) => law(snapshotRoot(initial), edits)),
    { numRuns: 500 },
  );
}

function run(before: Any, edits: [number, number, number, unknown][]) {
  return record<Any>(before, (draft) => {
    for (const [where, what, how, value] of edits) {
      const containers = reach(draft);
      const container = containers[where % containers.length];
      if (Array.isArray(container)) editList(container, what, how, value);
      else editMap(container, what, how, value);
    }
  });
}

/** All containers in a draft. */
function reach(draft: Any): Any[] {
  const inner = Object.keys(draft).map((key) => draft[key]);
  const containers = inner.filter(
    (part) => Array.isArray(part) || Object.getPrototypeOf(part ?? 0) === Object.prototype,
  );
  return [draft, ...containers.flatMap(reach)];
}

function editMap(map: Any, what: number, how: number, value: unknown): void {
  const key = KEYS[how % KEYS.length]!;
  const old = Object.hasOwn(map, key) ? map[key] : undefined;
  if (what % 5 === 0) delete map[key];
  else if (what % 5 === 1 && typeof old === "string")
    splice(map, [key], Math.min(how % 7, old.length), what % 3, "x😀");
  else if (what % 5 === 2 && old instanceof Counter) old.increment(how % 5);
  else if (what % 5 === 3 && old !== undefined) map.moved = old;
  else map[key] = value;
}

function editList(list: Any[], what: number, how: number, value: unknown): void {
  const at = list.length === 0 ? 0 : how % list.length;
  const old = list[at];
  switch (what % 8) {
    case 0:
      return void list.push(value, how);
    case 1:
      return void list.splice(at, what % 4, value);
    case 2:
      return void (list[at] = value);
    case 3:
      return void list.pop();
    case 4:
      return void (list.length > 0 && list.unshift(list.shift()));
    case 5:
      return void (list.length = at);
    case 6:
      return typeof old === "string" ? splice(list, [at], 0, what % 3, "y") : void list.reverse();
    default:
      return old instanceof Counter ? old.increment(3) : void list.push(...list.slice(0, 3));
  }
}

/** What an edit means, on data that may be changed. */
function replay(plain: { root: unknown }, [kind, path, ...rest]: Op): void {
  let owner: Any = plain.root;
  for (const key of path.slice(0, -1)) owner = owner[key];
  const key = path[path.length - 1] as Any;
  const [first, second, third] = rest as Any[];
  if (kind === PUT) setKey(owner, key, thaw(first));
  else if (kind === INSERT) owner.splice(key, 0, ...first.map(thaw));
  else if (kind === DELETE) Array.isArray(owner) ? owner.splice(key, first) : delete owner[key];
  else if (kind === SPLICE) setKey(owner, key, owner[key].slice(0, first) + third + owner[key].slice(first + second));
  else if (kind === INCREMENT) setKey(owner, key, new Counter(owner[key].value + first));
  else if (kind === RETEXT) setKey(owner, key, first);
}

function frozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || value instanceof Date) return true;
  return Object.isFrozen(value) && Object.values(value).every(frozen);
}
