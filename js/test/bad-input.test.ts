/**
 * The whole public API with what does not belong there: each call refuses at once, with a code and a text that names what
 * is wrong, and the space works on.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { storeConformance, storeTests } from "../src/entries/conformance.js";
import { initialize } from "../src/entries/slim.js";
import {
  AtomicString,
  Counter,
  customStore,
  directory,
  EyotError,
  indexedDb,
  memory,
  openSpace,
  splice,
  type Commit,
  type Doc,
  type ErrorCode,
  type Space,
} from "./eyot.js";

// Arguments of the wrong kind are the point of these tests.
type Any = any;
type Row = [call: () => unknown, code: ErrorCode, message: RegExp];

const HALF = "a\ud83d";
const NOBODY = "38zjcvr4JvfPhzzhEqjzZqv8vVsn";
const MIB = 1024 * 1024;
const cyclic: Any = {};
cyclic.list = [{ cyclic }];
let deep: Any = {};
for (let level = 0; level < 5_000; level++) deep = { deep };
/** Throws this wherever it is looked at. */
const own = new RangeError("mine");
const thrower = (): never => {
  throw own;
};
const getter = Object.defineProperty({}, "n", { get: thrower, enumerable: true });
const trap: Any = new Proxy({}, { ownKeys: thrower, get: thrower, has: thrower, getPrototypeOf: thrower });

let space: Space;
let doc: Doc<Any>;
let commit: Commit;

before(async () => {
  space = await openSpace("bad-input", { storage: memory() });
  doc = space.create<Any>({ text: "hello", n: 1, list: [1, "two"], count: new Counter(1) });
  commit = doc.change((draft) => void (draft.n = 2));
});
after(() => space.close());

const table: Record<string, Row[]> = {
  "openSpace: the name": [
    [() => openSpace(undefined as Any), "invalid", /a space's name is a string, not undefined/],
    [() => openSpace(null as Any), "invalid", /name is a string, not null/],
    [() => openSpace(42 as Any), "invalid", /name is a string, not a number/],
    [() => openSpace({} as Any), "invalid", /name is a string, not an object/],
    [() => openSpace(""), "invalid", /name is not empty/],
    [() => openSpace(HALF), "invalid", /well-formed/],
    [() => openSpace("é".repeat(129)), "invalid", /at most 256 bytes/],
    [() => openSpace("x".repeat(MIB)), "invalid", /at most 256 bytes/],
  ],
  "openSpace: the options": [
    [() => openSpace("x", null as Any), "invalid", /openSpace\(\) takes its options as an object, not null/],
    [() => openSpace("x", "memory" as Any), "invalid", /not a string/],
    [() => openSpace("x", [] as Any), "invalid", /not a list/],
    ...["key", "budget", "partitions", "signed", "relay", "__proto__x", "x".repeat(99)].map((key): Row => [
      () => openSpace("x", { [key]: 1 } as Any),
      "invalid",
      new RegExp(`openSpace\\(\\) has no option ${key.slice(0, 40)}`),
    ]),
    [() => openSpace("x", { key: undefined } as Any), "invalid", /has no option key/],
    [() => openSpace("x", { relays: null } as Any), "invalid", /relays is a list of addresses.*not null/],
    [() => openSpace("x", { relays: "wss://x.example" } as Any), "invalid", /not a string/],
    [() => openSpace("x", { relays: [1] } as Any), "invalid", /ws:\/\/… or wss:\/\/…/],
    [() => openSpace("x", { relays: ["https://x.example"] }), "invalid", /ws:\/\/… or wss:\/\/…/],
    [() => openSpace("x", { relays: ["wss://a:b@x.example"] }), "invalid", /without credentials/],
    [() => openSpace("x", { relays: ["wss://"] }), "invalid", /ws:\/\/…/],
    [() => openSpace("x", { relays: Array(65).fill("wss://x.example") }), "invalid", /at most 64/],
    [() => openSpace("x", { relays: {} } as Any), "invalid", /directory of relays is a URL/],
    [() => openSpace("x", { relays: { directory: 1 } } as Any), "invalid", /directory of relays is a URL/],
    [() => openSpace("x", { relays: { directory: "ftp://x" } }), "invalid", /directory of relays is a URL/],
    [() => openSpace("x", { relays: { url: "https://x" } } as Any), "invalid", /relays has no option url/],
    [() => openSpace("x", { token: "" }), "invalid", /a token is not empty/],
    [() => openSpace("x", { token: {} } as Any), "invalid", /a token is a string, not an object/],
    [() => openSpace("x", { storage: null } as Any), "invalid", /storage is what/],
    [() => openSpace("x", { storage: { kind: "memory" } }), "invalid", /storage is what/],
    [() => openSpace("x", { storage: memory } as Any), "invalid", /storage is what/],
    [
      () => openSpace("x", { peerToPeer: null } as Any),
      "invalid",
      /peerToPeer takes its options as an object, not null/,
    ],
    [() => openSpace("x", { peerToPeer: { peers: 6 } } as Any), "invalid", /peerToPeer has no option peers/],
    ...[-1, 1.5, 33, "6", NaN, null].map((maxPeers): Row => [
      () => openSpace("x", { peerToPeer: { maxPeers } } as Any),
      "invalid",
      /maxPeers is a whole number, at most 32/,
    ]),
    ...(
      [
        [{}, /iceServers is a list of servers, not an object/],
        [Array(9).fill({ urls: "stun:a" }), /at most 8 servers/],
        [[null], /a server of iceServers takes its options as an object, not null/],
        [Array(1), /a server of iceServers takes its options as an object, not null/],
        [[{}], /urls of a server of iceServers are stun:/],
        [[{ urls: [] }], /has 1 to 8 urls/],
        [[{ urls: Array(9).fill("stun:a") }], /has 1 to 8 urls/],
        [[{ urls: ["stun:a", "https://a"] }], /are stun:…/],
        [[{ urls: "stun:a?b" }], /are stun:…/],
        [[{ urls: "turn:a" }], /needs username and credential/],
        [[{ urls: "turn:a", username: "u" }], /needs username and credential/],
        [[{ urls: "stun:a", credential: 1 }], /strings, not a number/],
        [[{ urls: "stun:a", username: "u".repeat(1_025) }], /at most 1024 characters/],
        [[{ urls: "stun:a", credentialType: "oauth" }], /has no option credentialType/],
      ] as [unknown, RegExp][]
    ).map(([iceServers, message]): Row => [
      () => openSpace("x", { peerToPeer: { iceServers } } as Any),
      "invalid",
      message,
    ]),
    [() => openSpace("x", { persist: "yes" } as Any), "invalid", /persist is true or false/],
    [() => openSpace("x", { signal: {} } as Any), "invalid", /signal is an AbortSignal/],
    [() => openSpace("x", { signal: null } as Any), "invalid", /signal is an AbortSignal/],
    [() => openSpace("x", { signal: AbortSignal.abort() }), "aborted", /aborted/],
  ],
  storage: [
    [() => indexedDb("x" as Any), "invalid", /indexedDb\(\) takes its options as an object, not a string/],
    [() => indexedDb({ name: "x" } as Any), "invalid", /indexedDb\(\) has no option name/],
    [() => indexedDb({ database: "" }), "invalid", /name of a database is not empty/],
    [() => indexedDb({ database: 1 } as Any), "invalid", /name of a database is a string/],
    [() => directory(undefined as Any), "invalid", /folder/],
    [() => directory(""), "invalid", /folder/],
    [() => directory(1 as Any), "invalid", /folder/],
    [() => openSpace("x", { storage: indexedDb() }), "storage", /no IndexedDB here/],
    [() => openSpace("x", { storage: customStore(thrower) }), "storage", /mine/],
    [() => openSpace("x", { storage: customStore(() => Promise.reject(own)) }), "storage", /mine/],
  ],
  storeConformance: [
    [() => storeConformance(undefined as Any, { open: thrower }), "invalid", /name of a store is a string/],
    [() => storeConformance("x", undefined as Any), "invalid", /the harness's open is a function, not undefined/],
    [() => storeConformance("x", {} as Any), "invalid", /the harness's open is a function/],
    [() => storeConformance("x", { open: thrower, crash: 1 } as Any), "invalid", /the harness's crash is a function/],
    [() => storeConformance("x", { open: thrower }), "invalid", /needs describe\(\) and it\(\)/],
    [() => storeConformance("x", { open: thrower }, { it } as Any), "invalid", /needs describe\(\) and it\(\)/],
    [() => storeTests(undefined as Any), "invalid", /the harness's open is a function, not undefined/],
  ],
  initialize: [
    [() => initialize(undefined as Any), "invalid", /initialize\(\) takes/],
    [() => initialize(null as Any), "invalid", /initialize\(\) takes/],
    [() => initialize(42 as Any), "invalid", /initialize\(\) takes/],
    [() => initialize(""), "invalid", /initialize\(\) takes/],
  ],
  "create and named: the initial value": [
    ...[undefined, null, 1, "x", [], new Date(), new Counter(), Uint8Array.of(1)].map((initial): Row => [
      () => space.create(initial as Any),
      "invalid",
      /document (is an object|cannot hold)/,
    ]),
    [() => space.create(new Map() as Any), "invalid", /cannot hold a Map/],
    [() => space.create((() => 1) as Any), "invalid", /cannot hold a function/],
    [() => space.create({ a: { b: Symbol("x") } } as Any), "invalid", /cannot hold a symbol at a\.b/],
    [() => space.create({ a: [1, undefined] }), "invalid", /cannot hold undefined at a\.1/],
    [() => space.create({ a: 2n ** 60n }), "invalid", /a bigint beyond the safe integers at a/],
    [() => space.create({ a: new Date(NaN) }), "invalid", /an invalid Date at a/],
    [() => space.create({ a: new ArrayBuffer(1) } as Any), "invalid", /cannot hold an ArrayBuffer.*at a/],
    [() => space.create({ a: new Float32Array(1) } as Any), "invalid", /cannot hold a Float32Array.*at a/],
    [() => space.create({ a: new Blob([]) } as Any), "invalid", /cannot hold a Blob.*at a/],
    [() => space.create({ a: Promise.resolve(1) } as Any), "invalid", /cannot hold a Promise.*at a/],
    [() => space.create(cyclic), "invalid", /a value that contains itself/],
    [() => space.create(deep), "too-large", /deeper than 128 levels/],
    [() => space.create({ a: new Uint8Array(17 * MIB) }), "too-large", /./],
    [() => space.named("x", undefined as Any), "invalid", /a document (is an object|cannot hold)/],
    [() => space.named("x", [] as Any), "invalid", /a document is an object/],
    [() => space.named("x", cyclic), "invalid", /contains itself/],
    [() => space.named("x", { at: Date.now() }), "invalid", /constants, and at is the present time/],
    [() => space.named("x", { list: [{ at: new Date() }] }), "invalid", /constants, and list\.0\.at is the present/],
    [
      () => space.named("x", Object.fromEntries(Array.from({ length: 1_025 }, (_, n) => [`k${n}`, n]))),
      "invalid",
      /so many keys/,
    ],
    [
      async () => {
        await space.named("board", { columns: [{ id: crypto.randomUUID() }] });
        await space.named("board", { columns: [{ id: crypto.randomUUID() }] });
      },
      "invalid",
      /constants: [\w-]{36} was another one when board was opened before/,
    ],
  ],
  "named: the name": [
    [() => space.named(undefined as Any, {}), "invalid", /a document's name is a string, not undefined/],
    [() => space.named(42 as Any, {}), "invalid", /name is a string, not a number/],
    [() => space.named("", {}), "invalid", /name is not empty/],
    [() => space.named(HALF, {}), "invalid", /well-formed/],
    [() => space.named("x".repeat(1_025), {}), "invalid", /at most 1024 bytes/],
  ],
  "open and delete: the id": [undefined, null, 42, {}, "", "x", "automerge:", HALF, "x".repeat(MIB)].flatMap(
    (id): Row[] => [
      [() => space.open(id as Any), "invalid", /document id/],
      [() => space.delete(id as Any), "invalid", /document id/],
    ],
  ),
  "open and delete: an id of nothing": [
    [() => space.open(NOBODY), "not-found", /there is no document/],
    [() => space.delete(NOBODY), "not-found", /./],
  ],
  "waiting: the options": [
    ["open()", (options: Any) => space.open(NOBODY, options)] as const,
    ["synced()", (options: Any) => space.synced(options)] as const,
    ["durable()", (options: Any) => space.durable(options)] as const,
    ["durable()", (options: Any) => commit.durable(options)] as const,
    ["durable()", (options: Any) => doc.change(() => undefined).durable(options)] as const,
    ["fresh()", (options: Any) => space.fresh({ regions: 1, ...options })] as const,
  ].flatMap(([name, wait]): Row[] => {
    const isFresh = name === "fresh()";
    const rows: Row[] = [
      [() => wait({ wait: 1 }), "invalid", new RegExp(`${name.slice(0, -2)}\\(\\) has no option wait`)],
    ];
    if (!isFresh) {
      rows.push([() => wait(null), "invalid", /options as an object, not null/]);
      rows.push([() => wait(5), "invalid", /options as an object, not a number/]);
    }
    if (name === "durable()" || isFresh) {
      for (const regions of [0, -1, 1.5, NaN, "1", null, Infinity, {}]) {
        rows.push([() => wait({ regions }), "invalid", /regions is a whole number from 1/]);
      }
    }
    return rows;
  }),
  destroy: [
    [() => space.destroy(true as Any), "invalid", /destroy\(\)/],
    [() => space.destroy({ forced: true } as Any), "invalid", /forced/],
    [() => space.destroy({ force: 1 } as Any), "invalid", /force is true or false/],
    [() => space.destroy(), "unsent", /no region has stored/],
  ],
  "waiting: the time and the signal": [
    (options: Any) => space.open(NOBODY, options),
    (options: Any) => space.synced(options),
    (options: Any) => space.durable(options),
    (options: Any) => commit.durable(options),
  ].flatMap((wait): Row[] => [
    ...[-1, NaN, "1", null, {}, 1n].map((timeout): Row => [
      () => wait({ timeout }),
      "invalid",
      /timeout is a number of milliseconds/,
    ]),
    ...[null, {}, "x", 1].map((signal): Row => [() => wait({ signal }), "invalid", /signal is an AbortSignal/]),
    [() => wait({ signal: AbortSignal.abort() }), "aborted", /aborted/],
  ]),
  "fresh: no regions": [
    [() => space.fresh(undefined as Any), "invalid", /fresh\(\): regions is a whole number from 1/],
    [() => space.fresh({} as Any), "invalid", /regions is a whole number from 1/],
    [() => space.fresh({ regions: 2 }), "invalid", /./],
    [() => space.durable({ regions: 3 }), "invalid", /./],
  ],
  listeners: [undefined, null, 1, {}, "x"].flatMap((listener): Row[] => [
    [() => space.subscribe(listener as Any), "invalid", /a listener of the status is a function, not/],
    [() => space.subscribeDocuments(listener as Any), "invalid", /a listener of documents is a function, not/],
    [() => doc.subscribe(listener as Any), "invalid", /a listener of a document is a function, not/],
  ]),
  query: [
    [() => space.query(5 as Any), "invalid", /query\(\) takes its options as an object/],
    [() => space.query({ order: "n" } as Any), "invalid", /query\(\) has no option order/],
    ...[null, 5, "x", []].map((where): Row => [
      () => space.query({ where } as Any),
      "invalid",
      /where is a function, or/,
    ]),
    [() => space.query({ orderBy: 5 } as Any), "invalid", /orderBy is a key, not a number/],
    [() => space.query({ descending: 1 } as Any), "invalid", /descending is true or false/],
    ...[-1, 1.5, NaN, "1", null].map((limit): Row => [
      () => space.query({ limit } as Any),
      "invalid",
      /limit is a whole/,
    ]),
    [() => space.query({}).subscribe(5 as Any), "invalid", /a listener of a query is a function, not/],
  ],
  setOnline: [undefined, null, 0, "no"].map((online): Row => [
    () => space.setOnline(online as Any),
    "invalid",
    /setOnline\(\) takes is true or false, not/,
  ]),
  change: [
    ...[undefined, null, 1, {}, "x"].map((fn): Row => [
      () => doc.change(fn as Any),
      "invalid",
      /what change\(\) takes is a function, not/,
    ]),
    [() => doc.change(() => undefined, null as Any), "invalid", /change\(\) takes its options as an object/],
    [() => doc.change(() => undefined, "x" as Any), "invalid", /not a string/],
    [() => doc.change(() => undefined, { text: "x" } as Any), "invalid", /change\(\) has no option text/],
    [() => doc.change((draft) => (draft.n = 5), { message: 42 } as Any), "invalid", /message of a change is a string/],
    [() => doc.change((draft) => (draft.n = 5), { message: null } as Any), "invalid", /message .* not null/],
    [() => doc.change((draft) => (draft.n = 5), { message: HALF }), "invalid", /well-formed/],
    [() => doc.change((draft) => (draft.n = 5), { message: "x".repeat(17 * MIB) }), "too-large", /./],
    [() => doc.change((draft) => (draft.n = new Uint8Array(17 * MIB))), "too-large", /./],
    [() => doc.change(async (draft) => void (draft.n = 5)), "invalid", /not an async one/],
    [() => doc.change(() => ({ then: () => undefined }) as Any), "invalid", /not an async one/],
    [() => doc.change((draft) => doc.change(() => void (draft.n = 5))), "invalid", /is being changed already/],
    [() => doc.change(() => void doc.merge(doc.export())), "invalid", /is being changed already/],
    [() => doc.change((draft) => (draft.list[9] = 1)), "invalid", /no place 9/],
    [() => doc.change((draft) => (draft.list.length = -1)), "invalid", /length/],
    [() => doc.change((draft) => (draft.list.x = 1)), "invalid", /by number/],
    [() => doc.change((draft) => (draft[Symbol("x")] = 1)), "invalid", /not symbols/],
    [() => doc.change((draft) => draft.count.increment("1")), "invalid", /the step must be a whole number/],
    [() => doc.change((draft) => draft.count.increment(0.5)), "invalid", /the step must be a whole number/],
    [() => doc.change((draft) => draft.count.increment(2 ** 53)), "invalid", /must be a whole number/],
    [() => doc.change((draft) => Object.setPrototypeOf(draft, null)), "invalid", /prototype/],
    [
      // A value that makes the list shorter while it is read.
      () =>
        doc.change((draft) => {
          const get = () => (draft.list.pop(), draft.list.pop(), 1);
          draft.list.splice(0, 2, Object.defineProperty({}, "n", { get, enumerable: true }));
        }),
      "invalid",
      /made shorter/,
    ],
  ],
  merge: [undefined, null, 1, "x", [1], {}, new Blob(["x"]), new Uint8Array(), new ArrayBuffer(0)].map((file): Row => [
    () => doc.merge(file as Any),
    "invalid",
    /merge\(\) takes the bytes of a file/,
  ]),
  "merge: no file": [[() => doc.merge(Uint8Array.of(1, 2, 3)), "invalid", /./]],
  splice: [
    ...[undefined, null, {}, "x", 1].map((draft): Row => [
      () => splice(draft as Any, ["text"], 0, 0, "x"),
      "invalid",
      /inside change\(\)/,
    ]),
    ...[undefined, null, "text", [null], [{}], []].map((path): Row => [
      () => doc.change((draft) => splice(draft, path as Any, 0, 0, "x")),
      "invalid",
      /the path of a text|needs a path/,
    ]),
    ...[-1, 6, NaN, 0.5, "0", undefined, 2 ** 53].map((index): Row => [
      () => doc.change((draft) => splice(draft, ["text"], index as Any, 0, "x")),
      "invalid",
      /has no position/,
    ]),
    ...[-1, NaN, 0.5, "1", undefined, null].map((remove): Row => [
      () => doc.change((draft) => splice(draft, ["text"], 0, remove as Any, "x")),
      "invalid",
      /whole number of code units/,
    ]),
    ...[null, 1, {}, ["x"]].map((insert): Row => [
      () => doc.change((draft) => splice(draft, ["text"], 0, 0, insert as Any)),
      "invalid",
      /inserts a string, not/,
    ]),
    [() => doc.change((draft) => splice(draft, ["n"], 0, 0, "x")), "invalid", /no text at n/],
    [() => doc.change((draft) => splice(draft, ["a", "b"], 0, 0, "x")), "invalid", /no map or list at a/],
  ],
  "connect: what is no port": [undefined, null, 1, "port", {}, [], { postMessage: null }, new EventTarget()].map(
    (port): Row => [() => space.connect(port as Any), "invalid", /connect\(\) takes a MessagePort, not/],
  ),
  "invite and join: the options": [
    [() => space.invite(null as Any), "invalid", /invite\(\) takes its options as an object, not null/],
    [() => space.invite("write" as Any), "invalid", /not a string/],
    [() => space.invite({ rights: "read" } as Any), "invalid", /invite\(\) has no option rights/],
    [() => space.invite({ iceServers: [] } as Any), "invalid", /has no option iceServers/],
    ...[null, "", "admin", 1, ["read"]].map((right): Row => [
      () => space.invite({ right: right as Any }),
      "invalid",
      /the right of an invitation is "read" or "write"/,
    ]),
    [() => space.invite({ signal: {} as Any }), "invalid", /signal is an AbortSignal/],
    [() => space.join("x", null as Any), "invalid", /join\(\) takes its options as an object, not null/],
    [() => space.join("x", { right: "read" } as Any), "invalid", /join\(\) has no option right/],
    [() => space.join("x", { signal: 1 as Any }), "invalid", /signal is an AbortSignal/],
  ],
  "join: the text": [undefined, null, 1, {}, "", "x", HALF, "z".repeat(MIB)].map((text): Row => [
    () => space.join(text as Any),
    "invalid",
    /an invitation/,
  ]),
  "values of one's own": [
    ...["1", null, NaN, Infinity, 0.5, 2 ** 53, 1n, {}].map((value): Row => [
      () => new Counter(value as Any),
      "invalid",
      /a counter must be a whole number/,
    ]),
    ...[undefined, null, 1, {}].map((value): Row => [
      () => new AtomicString(value as Any),
      "invalid",
      /made of a string, not/,
    ]),
    [() => doc.value.count.increment(), "invalid", /inside change\(\)/],
  ],
};

for (const [name, rows] of Object.entries(table)) {
  it(`${name} (${rows.length} cases)`, async () => {
    for (const [call, code, message] of rows) {
      const { value } = doc;
      const error = await failure(call);
      const shown = `${String(call)}: ${String(error)}`;
      assert.ok(error instanceof EyotError, shown);
      assert.equal(error.code, code, shown);
      assert.match(error.message, message, shown);
      assert.equal(doc.value, value, shown);
    }
    await worksOn();
  });
}

describe("what the application throws comes out as it is, and nothing has changed:", () => {
  const rows: Record<string, () => unknown> = {
    "an initial value with a getter": () => space.create(getter),
    "an initial value that is a proxy": () => space.create(trap),
    "a named one": () => space.named("x", getter),
    "options with a getter": () => space.synced(Object.defineProperty({}, "timeout", { get: thrower })),
    "options that are a proxy": () => openSpace("x", trap),
    "the options of a change": () => doc.change(() => undefined, trap),
    "a change": () => doc.change((draft) => ((draft.n = 7), draft.list.push(1), thrower())),
    "a value that is assigned": () => doc.change((draft) => ((draft.n = 7), (draft.m = getter))),
    "a value that is pushed": () => doc.change((draft) => draft.list.push(1, trap)),
    "a comparison": () => doc.change((draft) => draft.list.sort(thrower)),
  };
  for (const [name, call] of Object.entries(rows)) {
    it(name, async () => {
      const { value, heads } = doc;
      assert.equal(await failure(call), own);
      assert.equal(doc.value, value);
      assert.deepEqual(doc.heads, heads);
      await worksOn();
    });
  }
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
