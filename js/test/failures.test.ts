/** What happens when storage or the engine fails: an error that says so, and the rest goes on. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { FolderStore } from "../src/storage/folder-store.js";
import type { OpenSpace } from "../src/space/space.js";
import {
  customStore,
  directory,
  EyotError,
  memory,
  openSpace,
  type AsyncStore,
  type Space,
  type Storage,
} from "./eyot.js";

describe("storage that fails", () => {
  it("rejects saved and says so in the status, and edits go on in memory", () =>
    onDisk(async (disk, space) => {
      const doc = space.create({ n: 0 });
      await doc.change((draft) => void (draft.n = 1)).saved;
      disk.fails = true;
      await assert.rejects(doc.change((draft) => void (draft.n = 2)).saved, coded("storage"));
      assert.equal(space.status.error?.code, "storage");
      assert.equal(space.status.unsaved, 1);
      await assert.rejects(doc.change((draft) => void (draft.n = 3)).saved, coded("storage"));
      assert.equal(space.status.unsaved, 2);
      const { id } = doc;
      doc.close();
      assert.equal((await space.open<{ n: number }>(id)).value.n, 3);
    }));

  it("and recovers saves what was made meanwhile", () =>
    onDisk(async (disk, space, open) => {
      const doc = await space.named("doc", { n: 0 });
      disk.fails = true;
      const failed = doc.change((draft) => void (draft.n = 1));
      await assert.rejects(failed.saved, coded("storage"));
      disk.fails = false;
      await new Promise<void>((resolve) => {
        space.subscribe((status) => status.error === undefined && status.unsaved === 0 && resolve());
      });
      await assert.rejects(failed.saved, coded("storage"));
      await doc.change((draft) => void (draft.n += 1)).saved;
      await space.close();
      const again = await open();
      assert.equal((await again.named("doc", { n: 0 })).value.n, 2);
      await again.close();
    }));

  it("from the start is said in the status", () =>
    inFolder(async (folder) => {
      const disk = { fails: true };
      const space = await openSpace("test", { storage: failing(disk, await FolderStore.open(folder)) });
      try {
        assert.equal(space.status.error?.code, "storage");
        const doc = space.create({ n: 0 });
        await assert.rejects(doc.change((draft) => void (draft.n = 1)).saved, coded("storage"));
        assert.equal(doc.value.n, 1);
      } finally {
        await space.close();
      }
    }));

  it("that cannot be opened at all rejects openSpace, and what was opened is closed", async () => {
    const cannot = () => Promise.reject(new Error("no such disk"));
    await assert.rejects(openSpace("test", { storage: customStore(cannot) }), coded("storage"));
    await assert.rejects(openSpace("test", { storage: directory("/dev/null/folder") }), coded("storage"));
    await inFolder(async (folder) => {
      const space = await openSpace("test", { storage: directory(folder) });
      await assert.rejects(openSpace("test", { storage: directory(folder) }), coded("storage"));
      await space.close();
      await (await openSpace("test", { storage: directory(folder) })).close();
    });
  });

  it("leaves nobody with an unhandled rejection", () =>
    onDisk(async (disk, space) => {
      const unhandled: unknown[] = [];
      const listener = (error: unknown) => unhandled.push(error);
      process.on("unhandledRejection", listener);
      disk.fails = true;
      const doc = space.create({ n: 0 });
      const { saved } = doc.change((draft) => void (draft.n = 1));
      const { saved: asked } = doc.change((draft) => void (draft.n = 2));
      await assert.rejects(asked, coded("storage"));
      await space.close();
      await new Promise((resolve) => setImmediate(resolve));
      process.off("unhandledRejection", listener);
      assert.ok(saved instanceof Promise);
      assert.deepEqual(unhandled, []);
    }));
});

describe("an engine that fails", () => {
  it("rejects all that waits, tells its spaces, and a space opened after that has all that was saved", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...["--import", "tsx"],
      new URL("./engine-death.ts", import.meta.url).pathname,
    ]);
    assert.deepEqual(JSON.parse(stdout), {
      call: "wasm",
      waiting: ["wasm", "wasm", "wasm"],
      status: ["closed", "wasm"],
      told: true,
      other: "wasm",
      later: "wasm",
      again: { n: 1 },
      unhandled: 0,
    });
  });

  it("is not one that was given arguments of another kind", async () => {
    const space = (await openSpace("test", { storage: memory() })) as OpenSpace;
    // The bindings refuse these before the engine is called.
    const wrong: ((engine: Any) => unknown)[] = [
      (engine) => engine.merge(new Uint8Array(16), undefined),
      (engine) => engine.change(undefined, new Uint8Array(), undefined),
      (engine) => engine.setRelays(undefined),
    ];
    for (const call of wrong) assert.throws(() => space.engine.call(call), { code: "invalid" });
    assert.equal(space.status.error, undefined);
    assert.deepEqual(space.create({ n: 1 }).value, { n: 1 });
    await space.close();
  });

  for (const kind of ["storage", "socket", "timer"]) {
    it(`in a callback of a ${kind} does the same, and lets go of its socket and its storage`, async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        ...["--import", "tsx"],
        new URL("./engine-trap.ts", import.meta.url).pathname,
        kind,
      ]);
      assert.deepEqual(JSON.parse(stdout), {
        waiting: ["wasm", "wasm", "wasm"],
        status: ["closed", "wasm"],
        told: true,
        change: "wasm",
        n: true,
        thrown: [],
      });
    });
  }
});

interface Disk {
  fails: boolean;
}

/** A space on a disk that fails when it is told to. */
function onDisk(test: (disk: Disk, space: Space, open: () => Promise<Space>) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const disk = { fails: false };
    const open = async () => openSpace("test", { storage: failing(disk, await FolderStore.open(folder)) });
    const space = await open();
    try {
      await test(disk, space, open);
    } finally {
      await space.close();
    }
  });
}

function failing(disk: Disk, store: AsyncStore): Storage {
  const asked = async (): Promise<void> => {
    if (disk.fails) throw new Error("the disk has failed");
  };
  return customStore(() => ({
    get: (keys) => asked().then(() => store.get(keys)),
    scan: (from, to, bytesMax) => asked().then(() => store.scan(from, to, bytesMax)),
    write: (batch) => asked().then(() => store.write(batch)),
    close: () => store.close(),
  }));
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "eyot-"));
  try {
    await test(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function coded(code: EyotError["code"]): (error: unknown) => boolean {
  return (error) => error instanceof EyotError && error.code === code;
}

// Arguments of the wrong kind are the point of a test.
type Any = any;
