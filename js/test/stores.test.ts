/** Stores of the application that break their word: each case says which error comes, where, and that nothing hangs. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { FolderStore } from "../src/storage/folder-store.js";
import { customStore, directory, openSpace, type AsyncStore, type Space } from "./eyot.js";

// What is of the wrong kind is the point of these tests.
type Any = any;

const never = () => new Promise<never>(() => undefined);
const broken = () => Promise.reject(new Error("the store is broken"));

/** A store that keeps everything in memory, as its contract says. */
class MapStore implements AsyncStore {
  readonly entries = new Map<string, Uint8Array>();

  async get(keys: Uint8Array[]) {
    return keys.map((key) => this.entries.get(hex(key)));
  }

  async scan(from: Uint8Array, to: Uint8Array) {
    const keys = [...this.entries.keys()].filter((key) => key >= hex(from) && key < hex(to)).sort();
    return {
      keys: keys.map((key) => new Uint8Array(Buffer.from(key, "hex"))),
      values: keys.map((key) => this.entries.get(key)!),
      more: false,
    };
  }

  async write({ guardKey, guardValue, puts, deletes }: Parameters<AsyncStore["write"]>[0]) {
    const held = guardKey && this.entries.get(hex(guardKey));
    if (guardKey && (held && hex(held)) !== (guardValue && hex(guardValue))) return false;
    for (const key of deletes) this.entries.delete(hex(key));
    for (const [key, value] of puts) this.entries.set(hex(key), value);
    return true;
  }

  async close() {}
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("a store that cannot be opened", () => {
  const cases: [what: string, open: Any, code: string, message: RegExp][] = [
    ["throws", () => assert.fail("no such disk"), "storage", /cannot be opened: no such disk/],
    ["rejects", broken, "storage", /cannot be opened: the store is broken/],
    ["throws what is no error", () => Promise.reject("a text"), "storage", /cannot be opened: a text/],
    ["is nothing", () => undefined, "invalid", /no method get/],
    ["lacks a method", () => ({ get: never, scan: never, close: never }), "invalid", /no method write/],
  ];
  for (const [what, open, code, message] of cases) {
    it(`because it ${what} rejects openSpace`, async () => {
      await assert.rejects(openSpace("test", { storage: customStore(open) }), { code, message });
    });
  }

  it("because it is no function is refused at once", () => {
    assert.throws(() => customStore({} as Any), { code: "invalid" });
  });
});

describe("a store that gives what cannot be read", () => {
  const cases: [what: string, store: Any, code: string, message: RegExp][] = [
    ["throws as it is scanned", { scan: broken }, "storage", /the store is broken/],
    ["scans to nothing", { scan: async () => undefined }, "storage", /another shape/],
    ["says no more", { scan: async () => ({ keys: [], values: [] }) }, "storage", /another shape/],
    ["scans to keys alone", { scan: async () => ({ keys: [Uint8Array.of(1)], values: [] }) }, "storage", /another/],
    ["scans to texts", { scan: async () => ({ keys: ["a"], values: ["b"], more: false }) }, "storage", /another/],
    ["holds noise", { get: async (keys: Any[]) => keys.map(() => Uint8Array.of(1, 2, 3)) }, "corrupt", /./],
    [
      "holds nothing but empty values",
      { get: async (keys: Any[]) => keys.map(() => new Uint8Array()) },
      "corrupt",
      /./,
    ],
  ];
  for (const [what, faults, code, message] of cases) {
    it(`because it ${what} rejects openSpace`, async () => {
      const storage = customStore(() => Object.assign(new MapStore(), faults));
      await assert.rejects(openSpace("test", { storage }), { code, message });
    });
  }
});

describe("a store that cannot be read as the space is opened", () => {
  const cases: [what: string, get: Any, message: RegExp][] = [
    ["throws", broken, /the store is broken/],
    ["answers nothing", async () => undefined, /another shape/],
    ["answers too little", async () => [], /another shape/],
    ["answers a text", async (keys: Any[]) => keys.map(() => "text"), /another shape/],
    ["answers an ArrayBuffer", async (keys: Any[]) => keys.map(() => new ArrayBuffer(3)), /another shape/],
    ["answers null", async (keys: Any[]) => keys.map(() => null), /another shape/],
  ];
  for (const [what, get, message] of cases) {
    it(`because it ${what}: the space goes on in memory and says so`, async () => {
      const storage = customStore(() => Object.assign(new MapStore(), { get }));
      const space = await openSpace("test", { storage });
      assert.equal(space.status.error?.code, "storage");
      assert.match(space.status.error.message, message);
      assert.equal(space.create({ n: 1 }).value.n, 1);
      await space.close();
    });
  }
});

describe("a store that does not write", () => {
  const cases: [what: string, write: Any, message: RegExp][] = [
    ["throws", broken, /the store is broken/],
    ["throws at once", () => assert.fail("no room"), /no room/],
    ["throws what is no error", () => Promise.reject({ code: 13 }), /./],
    ["is full", () => Promise.reject(new DOMException("no room", "QuotaExceededError")), /QuotaExceededError: no room/],
    ["says nothing", async () => undefined, /another shape/],
    ["says a text", async () => "written", /another shape/],
    ["is no promise", () => 1, /another shape/],
  ];
  for (const [what, write, message] of cases) {
    it(`because it ${what}: saved rejects, the status says so, and close ends`, async () => {
      const space = await openSpace("test", { storage: customStore(() => Object.assign(new MapStore(), { write })) });
      const commit = space.create({ n: 1 }).change((draft) => void (draft.n = 2));
      await assert.rejects(commit.saved, { code: "storage", message });
      assert.equal(space.status.error?.code, "storage");
      assert.match(space.status.error.message, message);
      await space.close();
    });
  }

  it("because its guard never holds: the space says so, rather than try for ever in silence", async () => {
    const space = await openSpace("test", {
      storage: customStore(() => Object.assign(new MapStore(), { write: async () => false })),
    });
    const commit = space.create({ n: 1 }).change((draft) => void (draft.n = 2));
    await assert.rejects(commit.saved, { code: "storage" });
    await space.close();
  });
});

describe("a store that does not answer", () => {
  // One clock for a whole test: it must not go backwards.
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() }));
  afterEach(() => mock.timers.reset());

  for (const name of ["get", "write"] as const) {
    it(`to ${name} is said to have failed, and a late answer harms nothing`, async () => {
      const store = new MapStore();
      let hangs = name === "get";
      let answer = (): void => undefined;
      const slow = new Promise<void>((resolve) => (answer = resolve));
      const own = (store[name] as Any).bind(store);
      Object.assign(store, { [name]: async (...given: Any[]) => (hangs && (await slow), own(...given)) });
      const space = await waiting(openSpace("test", { storage: customStore(() => store) }));
      const doc = space.create({ n: 1 });
      hangs = true;
      const { saved } = doc.change((draft) => void (draft.n = 2));
      await assert.rejects(waiting(saved), { code: "storage", message: /does not answer/ });
      assert.match(space.status.error!.message, /does not answer/);
      hangs = false;
      answer();
      await waiting(until(space, () => space.status.error === undefined));
      await doc.change((draft) => void (draft.n = 3)).saved;
      const { id } = doc;
      await space.close();
      const again = await openSpace("test", { storage: customStore(() => store) });
      assert.equal((await again.open<{ n: number }>(id)).value.n, 3);
      await again.close();
    });
  }

  it("to close: close rejects", async () => {
    const space = await openSpace("test", {
      storage: customStore(() => Object.assign(new MapStore(), { close: never })),
    });
    await assert.rejects(waiting(space.close()), { code: "storage", message: /does not close/ });
    assert.equal(space.status.state, "closed");
  });

  it("or throws as it is closed: the space is closed all the same", async () => {
    const space = await openSpace("test", {
      storage: customStore(() => Object.assign(new MapStore(), { close: broken })),
    });
    await space.close();
  });

  it("before the space is closed: close ends, and what it answers then is ignored", async () => {
    const store = new MapStore();
    const space = await openSpace("test", { storage: customStore(() => store) });
    let answer = (): void => undefined;
    Object.assign(store, { write: () => new Promise<boolean>((resolve) => (answer = () => resolve(true))) });
    const { saved } = space.create({ n: 1 }).change((draft) => void (draft.n = 2));
    const rejected = assert.rejects(saved, { code: "storage" });
    await waiting(space.close());
    answer();
    await rejected;
    assert.equal(space.status.state, "closed");
  });
});

describe("storage of another space", () => {
  it("in a store is refused, and nothing in it changes", async () => {
    const store = new MapStore();
    const first = await openSpace("private", { storage: customStore(() => store) });
    await first.create({ secret: 1 }).change((draft) => void (draft.secret = 2)).saved;
    await first.close();
    const before = new Map(store.entries);
    await assert.rejects(openSpace("public", { storage: customStore(() => store) }), {
      code: "incompatible",
      message: /holds the space "private"/,
    });
    assert.deepEqual(store.entries, before);
  });

  it("in a store that two have open at once: the second is closed with the reason, and keeps nothing there", async () => {
    const store = new MapStore();
    const open = (name: string) => openSpace(name, { storage: customStore(() => store) });
    const [first, second] = [await open("one"), await open("two")];
    const kept = first.create({ n: 1 });
    await kept.change((draft) => void (draft.n = 2)).saved;
    const { saved } = second.create({ n: 1 }).change((draft) => void (draft.n = 2));
    await assert.rejects(saved, { code: "incompatible" });
    assert.equal(second.status.error?.code, "incompatible");
    assert.equal(second.status.state, "closed");
    await second.close();
    await first.close();
    const again = await open("one");
    assert.deepEqual(
      again.documents().map(({ id }) => id),
      [kept.id],
    );
    await again.close();
  });

  it("in a folder is beside it: a folder holds any number of spaces, whatever their names", async () => {
    const folder = await mkdtemp(join(tmpdir(), "eyot-"));
    try {
      const names = [
        "team",
        "Team",
        "TEAM/a",
        "../up",
        "..",
        "con",
        "nul.txt",
        "ë",
        "%65",
        "x".repeat(250),
        "eyot.log",
      ];
      const spaces = [];
      for (const name of names) spaces.push(await openSpace(name, { storage: directory(folder) }));
      for (const space of spaces) await space.create({}).change((draft: Any) => void (draft.of = space.name)).saved;
      await Promise.all(spaces.map((space) => space.close()));
      for (const name of names) {
        const space = await openSpace(name, { storage: directory(folder) });
        const [doc, ...more] = space.documents();
        assert.equal(more.length, 0);
        assert.equal((await space.open<{ of: string }>(doc!.id)).value.of, name);
        await space.close();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("a folder", () => {
  it("is opened again while it is being closed, with all that was made", async () => {
    const folder = await mkdtemp(join(tmpdir(), "eyot-"));
    const open = () => openSpace("test", { storage: directory(folder) });
    let space = await open();
    for (let n = 0; n < 10; n++) {
      const doc = await space.named("doc", { list: [] as number[] });
      doc.change((draft) => void draft.list.push(n));
      const closed = space.close();
      space = await open();
      await closed;
      assert.equal((await space.named("doc", { list: [] as number[] })).value.list.length, n + 1);
    }
    await assert.rejects(open(), { code: "storage", message: /open already/ });
    await space.close();
    await rm(folder, { recursive: true });
  });

  it("that is deleted while it is open takes nothing more, and says so", async () => {
    const folder = await mkdtemp(join(tmpdir(), "eyot-"));
    const space = await openSpace("test", { storage: directory(folder) });
    const doc = space.create({ n: 1 });
    await doc.change((draft) => void (draft.n = 2)).saved;
    await rm(folder, { recursive: true });
    await assert.rejects(doc.change((draft) => void (draft.n = 3)).saved, { code: "storage", message: /deleted/ });
    assert.equal(space.status.error?.code, "storage");
    await space.close();
  });

  it("that may not be written rejects openSpace with what the system says", async () => {
    const refuses = () => Promise.reject(Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" }));
    const files = { ...(await import("node:fs/promises")), mkdir: refuses as Any };
    const storage = customStore(() => FolderStore.open("/nowhere", files));
    await assert.rejects(openSpace("test", { storage }), { code: "storage", message: /EROFS/ });
  });
});

/** Waits while the clock, a mocked one, goes on. */
async function waiting<R>(work: Promise<R>): Promise<R> {
  let isOver = false;
  const over = work.finally(() => (isOver = true));
  over.catch(() => undefined);
  while (!isOver) {
    mock.timers.tick(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return over;
}

function until(space: Space, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = space.subscribe(() => holds() && (stop(), resolve()));
    if (holds()) resolve();
  });
}
