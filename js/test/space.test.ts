/** Spaces and documents, over the real engine. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import {
  AtomicString,
  Counter,
  directory,
  EyotError,
  memory,
  openSpace,
  splice,
  type ChangeEvent,
  type Space,
  type SpaceOptions,
} from "./eyot.js";
import { applyPatches } from "../src/value/apply.js";

type Any = any;

const NOBODY = "ws://127.0.0.1:9";

async function inSpace(test: (space: Space) => Promise<void> | void, options: SpaceOptions = {}): Promise<void> {
  const space = await openSpace("test", { storage: memory(), ...options });
  try {
    await test(space);
  } finally {
    await space.close();
  }
}

function coded(code: EyotError["code"]): (error: unknown) => boolean {
  return (error) => error instanceof EyotError && error.code === code;
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "eyot-"));
  try {
    await test(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const SAMPLE = {
  title: "hello 😀",
  count: new Counter(3),
  atomic: new AtomicString("whole"),
  when: new Date(1_700_000_000_123),
  bytes: Uint8Array.of(0, 255),
  nothing: null,
  yes: true,
  whole: -7,
  broken: 2.5,
  large: Number.MAX_SAFE_INTEGER,
  list: [1, "two", { three: [3, []] }],
  map: { "": 1, "a.b": { c: "d" } },
};

describe("a document", () => {
  it("has its value at once, and a new one after each change", () =>
    inSpace((space) => {
      const doc = space.create<Any>(SAMPLE);
      assert.deepEqual(doc.value, SAMPLE);
      const before = doc.value;
      const heads = doc.heads;
      const commit = doc.change((draft) => {
        splice(draft, ["title"], 5, 0, "!");
        draft.list.push({ four: 4 });
        draft.count.increment(2);
      });
      assert.match(commit.id, /^[0-9a-f]{64}$/);
      assert.equal(doc.value.title, "hello! 😀");
      assert.equal(doc.value.count.value, 5);
      assert.equal(doc.value.map, before.map);
      assert.equal(before.title, "hello 😀");
      assert.notDeepEqual(doc.heads, heads);
    }));

  it("is the same to the core as it is here", () =>
    inSpace(async (space) => {
      const doc = space.create<Any>(SAMPLE);
      doc.change((draft) => {
        draft.list.splice(0, 1, "a", { b: "text" });
        draft.list[1].b = "texts";
        draft.title = "another 🏳️‍🌈 title";
        draft["__proto__"] = { odd: true };
        delete draft.nothing;
        draft.count.increment(-10);
        draft.list[2] = [draft.map];
      });
      const { id, value } = doc;
      doc.close();
      const again = await space.open<Any>(id);
      assert.notEqual(again.value, value);
      assert.deepEqual(again.value, value);
    }));

  it("is shared by its handles, and let go with the last", () =>
    inSpace(async (space) => {
      const one = space.create({ n: 1 });
      const two = await space.open<{ n: number }>(one.url);
      assert.equal(one.value, two.value);
      one.close();
      one.close();
      // Readable still: a view may be drawn once more before it hears of that.
      assert.deepEqual(one.value, { n: 1 });
      assert.equal(one.deleted, false);
      assert.throws(() => one.heads, coded("closed"));
      assert.throws(() => one.change(() => undefined), coded("closed"));
      two.change((draft) => void (draft.n = 2));
      const three = await space.open<{ n: number }>(one.id);
      two.close();
      assert.equal(three.value.n, 2);
      three.close();
      assert.equal((await space.open<{ n: number }>(one.id)).value.n, 2);
    }));

  it("that is opened many times at once is opened once", () =>
    inSpace(async (space) => {
      const first = space.create({ n: 1 });
      const { id } = first;
      first.close();
      const docs = await Promise.all([1, 2, 3].map(() => space.open<{ n: number }>(id)));
      docs[0]!.change((draft) => void (draft.n = 2));
      assert.ok(docs.every((doc) => doc.value === docs[0]!.value));
      docs.forEach((doc) => doc.close());
    }));

  it("of a name is the same wherever it is made", async () => {
    await inSpace(async (here) => {
      await inSpace(async (there) => {
        const a = await here.named<Any>("settings", { theme: "dark", list: [] });
        const b = await there.named<Any>("settings", { theme: "dark", size: 1 });
        assert.equal(a.url, b.url);
        a.change((draft) => void draft.list.push(1));
        b.change((draft) => void (draft.size = 2));
        a.merge(b.export());
        b.merge(a.export());
        assert.deepEqual(a.value, { theme: "dark", list: [1], size: 2 });
        assert.deepEqual(a.value, b.value);
        assert.deepEqual(a.heads, b.heads);
      });
    });
  });

  it("that was deleted is gone", () =>
    inSpace(async (space) => {
      const doc = space.create({ n: 1 });
      const other = space.create({ n: 2 });
      assert.equal(space.documents().length, 2);
      const commit = space.delete(doc.url);
      await commit.saved;
      assert.deepEqual(
        space.documents().map(({ id }) => id),
        [other.id],
      );
      assert.throws(() => doc.change((draft) => void (draft.n = 3)), coded("not-found"));
      await assert.rejects(space.open(doc.id), coded("not-found"));
    }));

  it("that is deleted tells its subscribers, keeps its value, and refuses the rest", () =>
    inSpace(async (space) => {
      const doc = space.create({ n: 1 });
      const other = await space.open<{ n: number }>(doc.id);
      const { value } = doc;
      const heard: [unknown, ChangeEvent][] = [];
      doc.subscribe((...told) => heard.push(told));
      assert.equal(other.deleted, false);
      space.delete(doc.id);
      assert.equal(heard.length, 1);
      assert.equal(heard[0]![0], value);
      assert.deepEqual(heard[0]![1], { origin: "local", patches: [], deleted: true });
      for (const handle of [doc, other]) {
        assert.equal(handle.deleted, true);
        assert.equal(handle.value, value);
        assert.throws(() => handle.change(() => undefined), coded("not-found"));
        assert.throws(() => handle.merge(Uint8Array.of(1)), coded("not-found"));
        assert.throws(() => handle.export(), coded("not-found"));
        assert.throws(() => handle.heads, coded("not-found"));
      }
      assert.throws(() => space.delete(doc.id), coded("not-found"));
      doc.close();
      assert.equal(doc.deleted, true);
      assert.equal(doc.value, value);
    }));

  it("takes a file in whatever form its bytes are, and nothing else", () =>
    inSpace(async (space) => {
      const from = await space.named<Any>("from", { n: 1 });
      from.change((draft) => void (draft.n = 2));
      const file = from.export();
      const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
      const shared = new SharedArrayBuffer(file.length);
      new Uint8Array(shared).set(file);
      const within = new Uint8Array(file.length + 8);
      within.set(file, 3);
      const forms: [string, Parameters<typeof from.merge>[0]][] = [
        ["a Uint8Array", file],
        ["an ArrayBuffer", buffer],
        ["a SharedArrayBuffer", shared],
        ["a Uint8Array of shared memory", new Uint8Array(shared)],
        ["a Buffer", Buffer.from(file)],
        ["a DataView of a part", new DataView(within.buffer, 3, file.length)],
        ["an Int8Array", new Int8Array(buffer)],
        ["one of another realm", runInNewContext("new Uint8Array(bytes)", { bytes: [...file] }) as Uint8Array],
        [
          "a buffer of another realm",
          runInNewContext("new Uint8Array(bytes).buffer", { bytes: [...file] }) as ArrayBuffer,
        ],
      ];
      for (const [name, form] of forms) {
        const doc = space.create<Any>({});
        assert.notEqual(doc.merge(form).id, "", name);
        assert.equal(doc.value.n, 2, name);
      }
      const doc = space.create<Any>({});
      const others = [
        undefined,
        null,
        "x",
        [...file],
        new Blob([file as Any]),
        {},
        new Uint8Array(),
        new ArrayBuffer(0),
      ];
      for (const other of others) assert.throws(() => doc.merge(other as Any), coded("invalid"));
      assert.throws(() => doc.merge(Uint8Array.of(1, 2, 3)), coded("invalid"));
      assert.equal(doc.merge(file).id.length, 64);
    }));

  it("takes no edit from bytes that are written outside of change, and shows them no longer once it is read again", () =>
    inSpace(async (space) => {
      const doc = space.create<Any>({ bytes: Uint8Array.of(1, 2), n: 1 });
      const { id, heads } = doc;
      doc.value.bytes[0] = 9;
      assert.deepEqual(doc.heads, heads);
      doc.change((draft) => void (draft.n = 2));
      await space.saved();
      doc.close();
      assert.deepEqual((await space.open<Any>(id)).value, { bytes: Uint8Array.of(1, 2), n: 2 });
    }));

  it("has its keys in the same order for whoever writes, is told of it, or reads it later", () =>
    inSpace(async (space) => {
      await inSpace(async (other) => {
        const keys = ["b", "10", "ä", "\uff5a", "😀", "", "a", "9", "4000000000", "__proto__"];
        const doc = await space.named<Any>("doc", { z: Object.fromEntries(keys.map((key) => [key, 1])), b: 1 });
        const copy = await other.named<Any>("doc", { z: Object.fromEntries(keys.map((key) => [key, 1])), b: 1 });
        doc.change((draft) => {
          for (const key of [...keys].reverse()) draft[key] = { y: 1, [key]: 2, c: 3 };
        });
        copy.merge(doc.export());
        const { id, value } = doc;
        doc.close();
        const again = await space.open<Any>(id);
        assert.notEqual(again.value, value);
        const text = JSON.stringify(again.value);
        for (const shown of [value, copy.value]) assert.equal(JSON.stringify(shown), text);
      });
    }));

  it("can be saved and sent before anything is changed in it", () =>
    inSpace(async (space) => {
      space.create({ n: 1 });
      assert.equal(space.status.unsaved, 1);
      await space.saved();
      assert.equal(space.status.unsaved, 0);
    }));

  it("that nobody has is not found, and what is no id is invalid", () =>
    inSpace(async (space) => {
      await assert.rejects(space.open("automerge:38zjcvr4JvfPhzzhEqjzZqv8vVsn"), coded("not-found"));
      await assert.rejects(space.open("38zjcvr4JvfPhzzhEqjzZqv8vVsm"), coded("invalid"));
      await assert.rejects(space.open("automerge:"), coded("invalid"));
      assert.throws(() => space.delete("x"), coded("invalid"));
    }));

  it("is an object with names", () =>
    inSpace(async (space) => {
      for (const initial of [null, 1, "x", [], new Date(), new Counter()]) {
        assert.throws(() => space.create(initial as Any), coded("invalid"));
        await assert.rejects(space.named("x", initial as Any), coded("invalid"));
      }
    }));
});

describe("methods", () => {
  it("need no object", () =>
    inSpace(async (space) => {
      const { create, open, documents, subscribe, subscribeDocuments, durable } = space;
      const doc = create<Any>({ n: 1 });
      const { change, subscribe: follow, close, merge, export: save } = await open<Any>(doc.id);
      let heard = 0;
      const stops = [subscribe(() => undefined), subscribeDocuments(() => undefined), follow(() => (heard += 1))];
      const { durable: stored } = change((draft) => void (draft.n = 2));
      assert.equal(heard, 1);
      assert.equal(merge(save()).id, "");
      assert.equal(documents().length, 1);
      await assert.rejects(stored({ timeout: 0 }), EyotError);
      await assert.rejects(durable({ timeout: 0 }), EyotError);
      for (const stop of stops) assert.equal(stop(), undefined);
      close();
      assert.deepEqual(Object.keys(doc), ["id", "url"]);
    }));
});

describe("change", () => {
  it("that throws leaves nothing behind", () =>
    inSpace((space) => {
      const doc = space.create({ list: [1] });
      const { value, heads } = doc;
      const fail = () =>
        doc.change((draft) => {
          draft.list.push(2);
          throw new RangeError("no");
        });
      assert.throws(fail, RangeError);
      assert.equal(doc.value, value);
      assert.deepEqual(doc.heads, heads);
      doc.change((draft) => void draft.list.push(3));
      assert.deepEqual(doc.value, { list: [1, 3] });
    }));

  it("that edits nothing makes no commit", () =>
    inSpace(async (space) => {
      const doc = space.create({ n: 1 });
      const { value, heads } = doc;
      const commit = doc.change((draft) => void (draft.n = 1));
      assert.equal(commit.id, "");
      await commit.saved;
      await commit.durable();
      assert.equal(doc.value, value);
      assert.deepEqual(doc.heads, heads);
    }));

  it("inside a change of the same document is refused, of another is not", () =>
    inSpace((space) => {
      const a = space.create({ n: 1 });
      const b = space.create({ n: 1 });
      a.change((draft) => {
        draft.n = 2;
        assert.throws(() => a.change((inner) => void (inner.n = 3)), coded("invalid"));
        assert.throws(() => a.merge(a.export()), coded("invalid"));
        b.change((inner) => void (inner.n = 5));
      });
      assert.deepEqual([a.value.n, b.value.n], [2, 5]);
    }));
});

describe("listeners", () => {
  it("hear of local changes with patches that lead there", () =>
    inSpace((space) => {
      const doc = space.create<Any>(SAMPLE);
      const heard: [Any, ChangeEvent][] = [];
      const stop = doc.subscribe((value, event) => heard.push([value, event]));
      const before = doc.value;
      doc.change((draft) => {
        draft.list.push({ new: ["text"] });
        draft.title = "bye";
        draft.count.increment();
        delete draft.map;
      });
      stop();
      doc.change((draft) => void (draft.yes = false));
      assert.equal(heard.length, 1);
      const [[value, event]] = heard as [[Any, ChangeEvent]];
      assert.equal(event.origin, "local");
      assert.deepEqual(applyPatches(before, event.patches), value);
    }));

  it("hear of merged changes with patches that lead there", () =>
    inSpace(async (space) => {
      await inSpace(async (other) => {
        const doc = await space.named<Any>("doc", SAMPLE);
        const copy = await other.named<Any>("doc", SAMPLE);
        copy.change((draft) => {
          draft.list.unshift({ deep: [new Counter(1), "text", new AtomicString("a"), new Date(0), Uint8Array.of(7)] });
          draft.list[0].deep[0].increment();
          draft.list.splice(2, 1);
          splice(draft, ["title"], 6, 2, "🏳️‍🌈");
          draft.map["a.b"].c = "dd";
          draft.count.increment(5);
          delete draft.bytes;
        });
        const before = doc.value;
        const heard: ChangeEvent[] = [];
        doc.subscribe((_, event) => heard.push(event));
        const commit = doc.merge(copy.export());
        assert.notEqual(commit.id, "");
        assert.deepEqual(doc.value, copy.value);
        assert.deepEqual(applyPatches(before, heard[0]!.patches), copy.value);
        assert.equal(doc.value.list[2], before.list[2]);
        assert.equal(doc.merge(copy.export()).id, "");
        assert.equal(heard.length, 1);
      });
    }));

  it("may edit; what that leads to is heard in order by all", () =>
    inSpace((space) => {
      const doc = space.create({ n: 0 });
      const heard: string[] = [];
      doc.subscribe((value) => {
        heard.push(`a${value.n}`);
        if (value.n < 3) doc.change((draft) => void (draft.n += 1));
      });
      doc.subscribe((value) => heard.push(`b${value.n}`));
      doc.change((draft) => void (draft.n = 1));
      assert.equal(doc.value.n, 3);
      assert.deepEqual(heard, ["a1", "b1", "a2", "b2", "a3", "b3"]);
    }));

  it("that throw are reported and stop nobody", () =>
    inSpace((space) => {
      const reported: unknown[] = [];
      Object.assign(globalThis, { reportError: (error: unknown) => reported.push(error) });
      const doc = space.create({ n: 0 });
      let heard = 0;
      doc.subscribe(() => {
        throw new RangeError("mine");
      });
      doc.subscribe(() => (heard += 1));
      doc.change((draft) => void (draft.n = 1));
      delete (globalThis as Any).reportError;
      assert.equal(heard, 1);
      assert.ok(reported[0] instanceof RangeError);
    }));

  it("that throw where nobody takes reports are logged, and the process goes on", () =>
    inSpace((space) => {
      const logged: unknown[] = [];
      const { error } = console;
      console.error = (...args: unknown[]) => logged.push(...args);
      const doc = space.create({ n: 0 });
      doc.subscribe(() => {
        throw new RangeError("mine");
      });
      doc.change((draft) => void (draft.n = 1));
      console.error = error;
      assert.ok(logged.some((item) => item instanceof RangeError));
    }));

  it("of a handle that was closed hear nothing", () =>
    inSpace(async (space) => {
      const doc = space.create({ n: 0 });
      const other = await space.open<{ n: number }>(doc.id);
      doc.subscribe(() => assert.fail("closed"));
      doc.close();
      other.change((draft) => void (draft.n = 1));
    }));
});

describe("a space", () => {
  it("opened again holds what was saved", () =>
    inFolder(async (folder) => {
      const urls: Any[] = [];
      await inSpace(
        async (space) => {
          const doc = space.create<Any>(SAMPLE);
          const named = await space.named<Any>("named", { list: [] });
          for (let n = 0; n < 50; n++) named.change((draft) => void draft.list.push(n));
          await named.change((draft) => void (draft.done = true)).saved;
          urls.push(doc.url, named.url);
        },
        { storage: directory(folder) },
      );
      await inSpace(
        async (space) => {
          assert.deepEqual((await space.open<Any>(urls[0])).value, SAMPLE);
          const named = await space.named<Any>("named", { list: [] });
          assert.equal(named.url, urls[1]);
          assert.equal(named.value.list.length, 50);
          assert.equal(named.value.done, true);
          assert.deepEqual(
            space
              .documents()
              .map(({ id }) => `automerge:${id}`)
              .sort(),
            [...urls].sort(),
          );
          assert.equal(space.documents().find(({ name }) => name === "named")?.id, named.id);
        },
        { storage: directory(folder) },
      );
    }));

  it("says where it really is kept", async () => {
    await inFolder((folder) =>
      inSpace((space) => assert.deepEqual(space.status.storage, { kind: "directory" }), { storage: directory(folder) }),
    );
    // Without IndexedDB it is kept in memory, which must be seen.
    const space = await openSpace("test");
    assert.deepEqual(space.status.storage, { kind: "memory" });
    assert.ok(Object.isFrozen(space.status.storage));
    await space.close();
    assert.deepEqual(space.status.storage, { kind: "memory" });
  });

  it("tells its status as an object that only changes with what it says", () =>
    inSpace(async (space) => {
      const heard: Any[] = [];
      const { status } = space;
      assert.equal(space.status, status);
      assert.equal(status.state, "local");
      assert.ok(Object.isFrozen(status) && Object.isFrozen(status.behind));
      space.subscribe((next) => heard.push(next));
      const doc = space.create({ n: 0 });
      await doc.change((draft) => void (draft.n = 1)).saved;
      await space.close();
      assert.equal(space.status.state, "closed");
      assert.equal(heard[heard.length - 1], space.status);
      assert.ok(heard.every((next, at) => next !== heard[at - 1] && Object.isFrozen(next)));
      assert.equal(space.status.unsaved, 0);
    }));

  it("works on while its relay cannot be reached, and can be taken off it", () =>
    inSpace(
      async (space) => {
        assert.equal(space.online, true);
        const doc = space.create({ n: 0 });
        await doc.change((draft) => void (draft.n = 1)).saved;
        space.setOnline(false);
        assert.equal(space.online, false);
        assert.equal(space.status.state, "offline");
        assert.equal(space.status.unsent, 2);
        doc.change((draft) => void (draft.n = 2));
        space.setOnline(true);
        assert.notEqual(space.status.state, "local");
      },
      { relays: [NOBODY] },
    ));

  it("ends a wait when its time is up or its signal says so", () =>
    inSpace(
      async (space) => {
        const { url, id } = space.create({ n: 0 });
        assert.equal(url, `automerge:${id}`);
        await assert.rejects(space.synced({ timeout: 5 }), coded("timeout"));
        await assert.rejects(space.durable({ timeout: 5 }), coded("timeout"));
        await assert.rejects(space.open("38zjcvr4JvfPhzzhEqjzZqv8vVsn", { timeout: 5 }), coded("timeout"));
        const controller = new AbortController();
        const waits = [
          space.synced({ signal: controller.signal }),
          space.open("38zjcvr4JvfPhzzhEqjzZqv8vVsn", { signal: controller.signal }),
          space
            .create({})
            .change((draft: Any) => void (draft.n = 1))
            .durable({ signal: controller.signal }),
        ];
        controller.abort(new Error("enough"));
        for (const wait of waits) await assert.rejects(wait, coded("aborted"));
        await assert.rejects(space.durable({ regions: 0 }), coded("invalid"));
        await assert.rejects(space.synced({ timeout: -1 }), coded("invalid"));
      },
      { relays: [NOBODY] },
    ));

  it("that is closed answers nothing more, and rejects what waits", async () => {
    const space = await openSpace("test", { storage: memory(), relays: [NOBODY] });
    const doc = space.create({ n: 1 });
    const waits = [space.synced(), space.durable(), doc.change((draft) => void (draft.n = 2)).durable()];
    const closed = space.close();
    assert.equal(space.close(), closed);
    for (const wait of waits) await assert.rejects(wait, coded("closed"));
    await closed;
    assert.deepEqual(doc.value, { n: 2 });
    assert.throws(() => doc.heads, coded("closed"));
    assert.throws(() => doc.change(() => undefined), coded("closed"));
    assert.throws(() => space.subscribeDocuments(() => undefined), coded("closed"));
    assert.throws(() => space.create({}), coded("closed"));
    assert.throws(() => space.documents(), coded("closed"));
    assert.throws(() => space.setOnline(false), coded("closed"));
    await assert.rejects(space.open(doc.id), coded("closed"));
    await assert.rejects(space.named("x", {}), coded("closed"));
    await assert.rejects(space.synced(), coded("closed"));
  });

  it("is not opened with what makes no sense, or when that was given up", async () => {
    await assert.rejects(openSpace(""), coded("invalid"));
    await assert.rejects(openSpace("x", { relays: "ws://x" as Any }), coded("invalid"));
    await assert.rejects(openSpace("x", { storage: { kind: "memory" } }), coded("invalid"));
    await assert.rejects(openSpace("x", { key: new Uint8Array(32) } as Any), coded("invalid"));
    await assert.rejects(openSpace("x", { signal: AbortSignal.abort() }), coded("aborted"));
  });
});
