// The golden vectors of the wire, read by another CBOR library than wrote them and compared with what
// `crate/core/docs/protocol.md` says: the numbers of frames and fields, and what is hashed.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decode } from "cborg";
import { readTicket } from "../src/peers/ticket.js";

const GOLDEN = new URL("../../crate/core/tests/golden/wire.txt", import.meta.url);

type Body = Map<number, unknown>;

const lines = new Map(
  readFileSync(GOLDEN, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [, name = "", hexes = ""] = /^(.*): (.*)$/.exec(line) ?? [];
      return [name, hexes.split(" ").map((hex) => Uint8Array.from(Buffer.from(hex, "hex")))] as const;
    }),
);
const golden = (name: string): Uint8Array[] => {
  const found = lines.get(name);
  assert.ok(found, `there is a vector ${name}`);
  return found;
};
const read = (bytes: Uint8Array): unknown => decode(bytes, { useMaps: true });
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);
const sha256 = (...parts: (Uint8Array | string)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};
const number = (value: number, length: number) => {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(length - 4, value);
  return bytes;
};

// What the vectors are made of.
const ONE = filled(16, 1);
const TWO = filled(16, 2);
const TIPS = [
  [ONE, 9, filled(32, 0x22)],
  [ONE, 9, filled(32, 0x33)],
  [TWO, 300, filled(32, 0x44)],
];
const DESCRIPTOR = new Map<number, unknown>([
  [0, "team ü"],
  [1, 1],
  [3, false],
]);
const START = filled(16, 0);
const records = ["first", "second", "after another's"].map((name) => golden(`record ${name}`)) as [
  record: Uint8Array,
  header: Uint8Array,
  id: Uint8Array,
][];
const first = golden("record first");
const second = golden("record second");
const positions = records.reduce(([hash], [, , id]) => [sha256(hash as Uint8Array, id).subarray(0, 16)] as const, [
  filled(16, 0),
] as readonly [Uint8Array]);
const END = positions[0].subarray(0, 8);
const MAC = sha256(filled(32, 5), filled(16, 6), number(0, 4), number(3, 8), END).subarray(0, 8);
const MARK = bytes(END, MAC, 3);
const TERMS = new Map<number, unknown>([
  [0, true],
  [1, 60_000],
]);
const digestOf = (tips: unknown[][]) =>
  sha256(
    Uint8Array.of(0),
    ...tips.flatMap(([author, seq, id]) => [author as Uint8Array, number(seq as number, 8), id as Uint8Array]),
  );
const DIGEST = [1, digestOf(TIPS)];

// What batches say of the three commits.
const CHAIN_START = sha256("eyot chain", sha256("eyot space", golden("descriptor plain")[0]!), number(0, 4));
const TIME = 1_790_000_000_000;
const FIRST_HEAD = [6, 0, ONE, 1, CHAIN_START];
const FIRST_ITEM = [1, filled(16, 7), 1 << 2, 3];
const FIRST = [...FIRST_HEAD, leb(2 * TIME), ...FIRST_ITEM];
const SECOND = [16, 2, 2, 2, 4 << 2, 0, 1, filled(16, 8), 2 << 2, 30];
const THIRD = [30, 1, TWO, 1, CHAIN_START, leb(2 * (TIME + 1) - 1), 1, 1, 0];
const FIRST_BYTES = Uint8Array.of(1, 2, 3);
const SECOND_BYTES = filled(30, 9);
const batch = (headers: (number | Uint8Array)[], ...items: Uint8Array[]) => {
  const all = bytes(...headers);
  return bytes(0, leb(all.length), all, ...items);
};

const FRAMES: [name: string, type: number, body: unknown][] = [
  [
    "Hello, full",
    1,
    map({
      0: 1,
      1: 1,
      2: "team ü",
      3: filled(16, 3),
      4: "eu",
      5: "a.b.c",
      6: [[filled(16, 4), START, MARK]],
      7: DIGEST,
      8: true,
      9: TIPS,
      10: 4_194_304,
      11: MARK,
      12: ["eu", "us"],
      13: TERMS,
      14: DESCRIPTOR,
      15: 0,
      16: 1,
      17: [TIPS[0]],
      18: 0,
    }),
  ],
  ["Commits", 2, map({ 0: batch([...FIRST, ...SECOND], FIRST_BYTES, SECOND_BYTES), 1: MARK })],
  ["Commits, named", 2, map({ 2: TIPS })],
  ["Piece", 3, map({ 0: Uint8Array.of(1, 2, 3), 1: true, 2: false })],
  ["Piece of an answer", 3, map({ 0: Uint8Array.of(4), 1: false, 2: true })],
  ["Ack", 4, map({ 0: 300, 2: MARK })],
  ["Ack with a hole", 4, map({ 0: 300, 1: 12, 2: MARK, 3: false })],
  ["Credit", 5, 1_048_576],
  ["Vector", 6, map({ 0: TIPS, 1: true, 2: false })],
  ["Vector that asks", 6, map({ 0: [], 1: true, 2: true, 3: TIPS })],
  ["Quiet", 7, map({ 0: MARK, 1: 7, 2: DIGEST })],
  ["Agree", 8, MARK],
  [
    "Want",
    9,
    map({
      0: 9,
      1: [
        [ONE, 1, 300],
        [ONE, 2, 2, filled(16, 0x22)],
      ],
    }),
  ],
  ["Answer", 10, map({ 0: 9, 1: batch(FIRST, FIRST_BYTES), 2: true, 3: false })],
  ["Answer, cut", 10, map({ 0: 9, 2: false, 3: true })],
  ["Head, asked", 11, map({ 0: 10 })],
  ["Head", 11, map({ 0: 10, 1: MARK })],
  ["Bye", 12, map({ 0: 4004, 1: "no" })],
  ["Bye with a descriptor", 12, map({ 0: 4003, 1: "é", 2: DESCRIPTOR })],
  ["Stored", 13, map({ 0: "us", 1: filled(16, 5), 2: 300, 3: true, 4: 0 })],
  ["Fresh, asked", 14, map({ 0: 11 })],
  ["Fresh", 14, map({ 0: 11, 1: map({ 0: "us", 1: MARK }) })],
  ["Token", 15, "a.b.c"],
  ["Terms", 16, TERMS],
  ["Terms without an end", 16, map({ 0: false })],
  ["Announce", 17, map({ 0: filled(32, 14) })],
  ["Announce, no longer", 17, map({})],
  ["Announce between relays", 17, map({ 0: filled(32, 14), 1: TERMS })],
  ["Introduction", 18, map({ 0: filled(32, 14), 1: "us", 2: Uint8Array.of(1, 2) })],
  ["Introduction between relays", 18, map({ 0: filled(32, 14), 1: "us", 2: Uint8Array.of(1, 2), 3: filled(32, 15) })],
  ["Signal", 19, map({ 0: filled(32, 14), 1: "us", 2: Uint8Array.of(3) })],
  ["Naming", 20, true],
  [
    "Present",
    21,
    map({
      0: [
        [filled(16, 10), 7, 250, Uint8Array.of(1)],
        [filled(16, 11), 8, 0],
      ],
    }),
  ],
  ["Inquiry", 22, map({ 0: filled(16, 16), 1: [filled(16, 1)], 2: 3 })],
  ["Receipt", 23, map({ 0: filled(16, 16), 1: Uint8Array.of(4) })],
  ["Signal between relays", 19, map({ 0: filled(32, 14), 1: "us", 2: Uint8Array.of(3), 3: filled(32, 15) })],
];

for (const [name, type, body] of FRAMES) {
  test(`${name} has the fields that the protocol names`, () => {
    assert.deepEqual(read(golden(`frame ${name}`)[0]!), [type, body]);
  });
}

test("the least greeting leaves out what is absent", () => {
  const [type, body] = read(golden("frame Hello, least")[0]!) as [number, Body];
  assert.equal(type, 1);
  for (const absent of [4, 5, 7, 9, 12, 14, 17]) assert.equal(body.has(absent), false, String(absent));
});

test("there is a vector of every frame", () => {
  assert.deepEqual(
    new Set(FRAMES.map(([, type]) => type)),
    new Set(Array.from({ length: 23 }, (_, index) => index + 1)),
  );
  const names = [...lines.keys()].filter((name) => name.startsWith("frame "));
  assert.equal(names.length, FRAMES.length + 1);
});

test("a ticket names the space, both ends in the order of their keys, their rights, and when it expires", () => {
  const [signed] = golden("ticket to be signed") as [Uint8Array];
  const label = new TextEncoder().encode("eyot ticket");
  assert.deepEqual(signed.subarray(0, label.length), label);
  const ticket = readTicket(new Uint8Array([...signed.subarray(label.length), ...filled(64, 0)]));
  assert.deepEqual(ticket?.space, sha256(label, new TextEncoder().encode("team ü")));
  assert.equal(ticket?.expiresAt, 1_700_000_000_123);
  assert.deepEqual(ticket?.ends, [
    { key: filled(32, 14), right: "write" },
    { key: filled(32, 15), right: "read" },
  ]);
});

test("a receipt names the space, the question, the log, the tips and the region", () => {
  const [signed] = golden("receipt to be signed") as [Uint8Array];
  const text = (of: string): Uint8Array => new TextEncoder().encode(of);
  const space = sha256(text("eyot receipt"), text("team ü"));
  const tip = [...filled(16, 1), ...[0, 0, 0, 0, 0, 0, 0, 7], ...filled(32, 2)];
  const rest = [1, ...space, ...filled(16, 16), 0, 0, 0, 5, ...filled(16, 3), 1, ...tip];
  assert.deepEqual([...signed], [...text("eyot receipt"), ...rest, ...text("eu")]);
});

test("a record is a header and its items, and the commit's id is the header's hash", () => {
  for (const [record, header, id] of records) {
    const [headerBytes, items] = read(record) as [Uint8Array, Uint8Array[]];
    assert.deepEqual(headerBytes, header);
    assert.deepEqual(id, sha256(header));
    const described = (read(header) as Body).get(6) as [unknown, number, number, Uint8Array | undefined][];
    assert.equal(items.length, described.length);
    for (const [index, [, , length, hash]] of described.entries()) {
      assert.equal(items[index]!.length, length);
      assert.deepEqual(hash ?? undefined, length === 0 ? undefined : sha256(items[index]!));
    }
  }
});

test("a batch leaves out what its commits say of each other", () => {
  const of = (name: string) => golden(`batch ${name}`)[0];
  assert.deepEqual(of("of three"), batch([...FIRST, ...SECOND, ...THIRD], FIRST_BYTES, SECOND_BYTES));
  assert.deepEqual(of("with a record as it is"), batch([1, 3], Uint8Array.of(1, 2, 3)));
  const check = records[0]![2].subarray(0, 4);
  const next = bytes(...SECOND);
  assert.deepEqual(of("that goes on"), bytes(2, check, next.length, next, SECOND_BYTES));

  // The same with its bytes gone, by a delete that is named in full, and once more as a hole of the same delete. The
  // second copy comes after the first and does not follow it.
  const delete9 = [0, 0, 9, records[1]![2].subarray(0, 16)];
  const absent = [1, filled(16, 8), (2 << 2) | 1, 30, sha256(SECOND_BYTES), ...delete9];
  const again = [20, 2, records[0]![2], 0, 2, 3, 4 << 2, 0, 2, (2 << 2) | 2, 30, sha256(SECOND_BYTES), 2];
  const both = bytes(16, 2, 2, 2, 4 << 2, 0, ...absent, ...again);
  assert.deepEqual(of("with a deleted item and a hole"), bytes(2, check, leb(both.length), both));
});

test("headers have the fields that the protocol names, and chains begin in their space", () => {
  const [bytes, chainStartOf3] = golden("descriptor plain") as [Uint8Array, Uint8Array];
  assert.deepEqual(read(bytes), DESCRIPTOR);
  const space = sha256("eyot space", bytes);
  assert.deepEqual(chainStartOf3, sha256("eyot chain", space, number(3, 4)));

  const [one, two, three] = records.map(([, header]) => read(header) as Body) as [Body, Body, Body];
  for (const header of [one, two, three]) assert.equal(header.get(0), 1);
  assert.deepEqual([one.get(1), one.get(2), one.get(4), one.get(5)], [ONE, 1, [], 1_790_000_000_000]);
  assert.deepEqual(one.get(3), sha256("eyot chain", space, number(0, 4)));
  assert.deepEqual([two.get(2), two.get(3)], [2, sha256(first[1]!)]);
  const kinds = (two.get(6) as unknown[][]).map(([doc, kind, length]) => [doc, kind, length]);
  assert.deepEqual(kinds, [
    [filled(16, 7), 4, 0],
    [filled(16, 8), 2, 30],
  ]);
  assert.deepEqual([three.get(1), three.get(4)], [TWO, [[ONE, 2, sha256(second[1]!).subarray(0, 16)]]]);
});

test("positions, marks and digests are what the protocol says that is hashed", () => {
  assert.deepEqual(golden("running hash of three commits")[0], positions[0]);
  assert.deepEqual(read(golden("mark of its end")[0]!), MARK);
  assert.deepEqual(read(golden("digest of nothing")[0]!), [1, digestOf([])]);
  assert.deepEqual(read(golden("digest of three")[0]!), DIGEST);

  // Forty authors are more than a leaf takes: a branch by the first nibble of each.
  const many = Array.from({ length: 40 }, (_, index) => [filled(16, index * 6), index + 1, filled(32, index)]);
  const children = Array.from({ length: 16 }, (_, nibble) => {
    const tips = many.filter(([author]) => (author as Uint8Array)[0]! >> 4 === nibble);
    return tips.length === 0 ? [] : [Uint8Array.of(nibble), digestOf(tips)];
  });
  assert.deepEqual(read(golden("digest of forty")[0]!), [1, sha256(Uint8Array.of(1), ...children.flat())]);
});

/** Numbers up to 127, and bytes, in a row. */
function bytes(...parts: (number | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === "number" ? [part] : [...part])));
}

/** Seven bits a byte, the lowest first. */
function leb(value: number): Uint8Array {
  const digits: number[] = [];
  for (let rest = value; digits.length === 0 || rest > 0; rest = Math.floor(rest / 128)) digits.push(rest % 128);
  return Uint8Array.from(digits, (digit, place) => digit + (place < digits.length - 1 ? 128 : 0));
}

function map(fields: Record<number, unknown>): Body {
  return new Map(Object.entries(fields).map(([key, value]) => [Number(key), value]));
}
