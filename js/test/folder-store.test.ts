/** A folder as a store: what every store must do, and what this one must withstand. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import * as nodeFiles from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { storeConformance } from "../src/entries/conformance-node.js";
import type { Files } from "../src/storage/folder-log.js";
import { FolderStore } from "../src/storage/folder-store.js";
import { EyotError } from "../src/base/error.js";
import type { AsyncStore } from "../src/storage/store.js";

type Any = any;

let root = "";
let folders = 0;
before(async () => (root = await mkdtemp(join(tmpdir(), "eyot-store-"))));
after(() => rm(root, { recursive: true }));

const folder = () => join(root, `f${++folders}`);
const text = (string: string) => new TextEncoder().encode(string);
const END = Uint8Array.of(0xff, 0xff);

storeConformance("a folder", {
  open: (place) => FolderStore.open(join(root, place)),
  // A process that was killed leaves its lock behind, and so does this one.
  crash: async (store, place) => {
    await store.close();
    await writeFile(join(root, place, "eyot.lock"), "999999999 gone");
  },
});

describe("a log cut short anywhere", () => {
  it("loses only the batch that was being written", async () => {
    const place = folder();
    const log = join(place, "eyot.log");
    const sizes: number[] = [];
    const store = await FolderStore.open(place);
    for (let n = 0; n < 3; n++) {
      await put(store, `k${n}`, `value ${n}`);
      sizes.push((await stat(log)).size);
    }
    await store.close();
    const whole = await readFile(log);
    for (let cut = sizes[0]!; cut < whole.length; cut++) {
      for (const tail of [Buffer.alloc(0), Buffer.alloc(7), Buffer.from("eyrc\u0001\u0000\u0000\u0000")]) {
        await writeFile(log, Buffer.concat([whole.subarray(0, cut), tail]));
        const again = await FolderStore.open(place);
        const expected = sizes.filter((size) => size <= cut).map((_, n) => `k${n}`);
        assert.deepEqual(await keys(again), expected, `cut at ${cut}`);
        await put(again, "after", "1");
        await again.close();
        const last = await FolderStore.open(place);
        assert.deepEqual((await keys(last)).sort(), [...expected, "after"].sort());
        await last.close();
      }
    }
  });

  it("in its very beginning is a new log", async () => {
    for (const size of [0, 1, 10]) {
      const place = folder();
      await (await FolderStore.open(place)).close();
      await truncate(join(place, "eyot.log"), size);
      const store = await FolderStore.open(place);
      await put(store, "a", "1");
      assert.deepEqual(await keys(store), ["a"]);
      await store.close();
    }
  });
});

describe("a damaged log", () => {
  it("is told from one cut short, and left as it is", async () => {
    const place = folder();
    const log = join(place, "eyot.log");
    const store = await FolderStore.open(place);
    for (let n = 0; n < 3; n++) await put(store, `k${n}`, "x".repeat(100));
    await store.close();
    const file = await open(log, "r+");
    await file.write(Buffer.from("?"), 0, 1, 60);
    await file.close();
    const damaged = await readFile(log);
    await assert.rejects(FolderStore.open(place), coded("corrupt"));
    assert.deepEqual(await readFile(log), damaged);
  });

  it("of somebody else's is not touched", async () => {
    const place = folder();
    await mkdir(place);
    await writeFile(join(place, "eyot.log"), "dear diary, today I wrote a log of my own");
    await assert.rejects(FolderStore.open(place), coded("corrupt"));
    assert.match(await readFile(join(place, "eyot.log"), "utf8"), /^dear diary/);
  });
});

describe("a disk that fails", () => {
  it("rejects the write, at whatever step, and keeps what was there", async () => {
    for (let step = 1; step < 30; step++) {
      const place = folder();
      const disk = new FailingDisk();
      const store = await FolderStore.open(place, disk.files);
      await put(store, "a", "1");
      disk.failAfter(step);
      const outcomes = [];
      for (const name of ["b", "c", "d"]) {
        outcomes.push(
          await put(store, name, "2").then(
            () => name,
            (error: unknown) => error,
          ),
        );
      }
      disk.failAfter(Infinity);
      const said = outcomes.filter((outcome) => typeof outcome === "string");
      for (const name of ["a", ...said]) assert.ok((await keys(store)).includes(name as string));
      await store.close();
      const again = await FolderStore.open(place);
      const there = await keys(again);
      for (const name of ["a", ...said])
        assert.ok(there.includes(name as string), `${String(name)} after step ${step}`);
      await again.close();
    }
  });

  it("that is full for a while takes writes again when it is not", async () => {
    const place = folder();
    const disk = new FailingDisk();
    const store = await FolderStore.open(place, disk.files);
    disk.full = true;
    await assert.rejects(put(store, "a", "1"), { code: "ENOSPC" });
    assert.deepEqual(await keys(store), []);
    disk.full = false;
    await put(store, "b", "2");
    await store.close();
    const again = await FolderStore.open(place);
    assert.deepEqual(await keys(again), ["b"]);
    await again.close();
  });

  it("without room for a second log goes on with the first", async () => {
    const place = folder();
    const disk = new FailingDisk();
    const store = await FolderStore.open(place, disk.files);
    disk.fullFor = "eyot.log.new";
    const value = new Uint8Array(512 * 1024);
    for (let n = 0; n < 12; n++) await store.write({ puts: [[text("k"), value.fill(n)]], deletes: [] });
    assert.equal((await store.get([text("k")]))[0]![0], 11);
    disk.fullFor = undefined;
    await store.write({ puts: [[text("k"), value.fill(99)]], deletes: [] });
    await put(store, "small", "1");
    assert.ok((await stat(join(place, "eyot.log"))).size < 2_000_000);
    await store.close();
  });

  it("and does not sync the folder of a log written anew takes no writes until it does", async () => {
    const [place, disk] = [folder(), new FailingDisk()];
    const store = await FolderStore.open(place, disk.files);
    disk.failsFolder = true;
    const { ino } = await stat(join(place, "eyot.log"));
    const value = new Uint8Array(1024 * 1024);
    // What is written before the log is written anew is saved, and what comes after is not.
    let saved = 0;
    const write = (n: number) => store.write({ puts: [[text("k"), value.fill(n)]], deletes: [] });
    await assert.rejects(async () => {
      for (let n = 1; n < 100; n++) {
        await write(n);
        saved = n;
      }
    }, /EIO/);
    assert.notEqual((await stat(join(place, "eyot.log"))).ino, ino);
    assert.equal((await store.get([text("k")]))[0]![0], saved);
    disk.failsFolder = false;
    await put(store, "after", "1");
    await store.close();
    const again = await FolderStore.open(place);
    assert.deepEqual(await keys(again), ["after", "k"]);
    await again.close();
  });

  it("and syncs no folder cannot be opened, and has lost nothing", async () => {
    const [place, disk] = [folder(), new FailingDisk()];
    const store = await FolderStore.open(place, disk.files);
    await put(store, "a", "1");
    await store.close();
    disk.failsFolder = true;
    await assert.rejects(FolderStore.open(place, disk.files), /EIO/);
    disk.failsFolder = false;
    const again = await FolderStore.open(place, disk.files);
    assert.deepEqual(await keys(again), ["a"]);
    await again.close();
  });
});

describe("a log of mostly garbage", () => {
  it("is written anew, with readers reading on", async () => {
    const place = folder();
    const store = await FolderStore.open(place);
    const value = (n: number) => new Uint8Array(64 * 1024).fill(n % 251);
    await put(store, "kept", "forever");
    const reads: Promise<unknown>[] = [];
    for (let n = 0; n < 300; n++) {
      await store.write({ puts: [[text(`k${n % 5}`), value(n)]], deletes: [] });
      reads.push(
        store.get([text(`k${n % 5}`), text("kept")]).then(([bytes, kept]) => {
          assert.ok(bytes!.every((byte) => byte === bytes![0]));
          assert.deepEqual(kept, text("forever"));
        }),
      );
    }
    await Promise.all(reads);
    assert.ok((await stat(join(place, "eyot.log"))).size < 6_000_000);
    await store.close();
    const again = await FolderStore.open(place);
    assert.deepEqual(await keys(again), ["k0", "k1", "k2", "k3", "k4", "kept"]);
    assert.deepEqual((await again.get([text("k4")]))[0], value(299));
    await again.close();
  });
});

describe("a folder that is open", () => {
  it("and is about to be closed is opened again after that", async () => {
    const place = folder();
    for (let n = 0; n < 10; n++) {
      const store = await FolderStore.open(place);
      const written = put(store, `n${n}`, "1");
      const closed = store.close();
      const again = await FolderStore.open(place);
      await Promise.all([written, closed]);
      assert.equal((await keys(again)).length, n + 1);
      await again.close();
    }
  });

  it("and is deleted takes no more writes", async () => {
    const place = folder();
    const store = await FolderStore.open(place);
    await put(store, "a", "1");
    await rm(place, { recursive: true });
    await assert.rejects(put(store, "b", "1"), { code: "storage", message: /deleted/ });
    await store.close();
  });

  it("cannot be opened again, here or in another process, until it is closed", async () => {
    const place = folder();
    const store = await FolderStore.open(place);
    await assert.rejects(FolderStore.open(place), coded("storage"));
    const other = child(place, "hold");
    assert.equal(await other.said, "storage");
    await store.close();
    const next = child(place, "hold");
    assert.equal(await next.said, "open");
    await assert.rejects(FolderStore.open(place), coded("storage"));
    next.process.kill("SIGKILL");
    await once(next.process, "exit");
    await (await FolderStore.open(place)).close();
  });

  it("whose process was killed while writing holds all that was said to be saved", async () => {
    const place = folder();
    let saved = 0;
    for (let round = 0; round < 8; round++) {
      const writer = child(place, "write");
      while (writer.numbers.length < 3) await once(writer.process, "message");
      writer.process.kill("SIGKILL");
      await once(writer.process, "exit");
      saved = Math.max(saved, ...writer.numbers);
      const store = await FolderStore.open(place);
      const [last] = await store.get([text("last")]);
      const number = Number(new TextDecoder().decode(last));
      assert.ok(number >= saved, `${number} is there, ${saved} was said`);
      assert.equal((await keys(store)).filter((name) => name.startsWith("n")).length, number);
      await store.close();
    }
    assert.ok(saved >= 24);
  });
});

it("a closed store answers nothing", async () => {
  const store = await FolderStore.open(folder());
  await store.close();
  await store.close();
  await assert.rejects(store.get([text("a")]), coded("closed"));
  await assert.rejects(put(store, "a", "1"), coded("closed"));
});

async function put(store: AsyncStore, name: string, value: string): Promise<void> {
  assert.equal(await store.write({ puts: [[text(name), text(value)]], deletes: [] }), true);
}

async function keys(store: AsyncStore): Promise<string[]> {
  const { keys } = await store.scan(Uint8Array.of(), END, 1e9);
  return keys.map((key) => new TextDecoder().decode(key));
}

function coded(code: EyotError["code"]): (error: unknown) => boolean {
  return (error) => error instanceof EyotError && error.code === code;
}

/** A process of its own that opens the folder and says what came of it, then each number it has saved. */
function child(place: string, task: "hold" | "write") {
  const process = fork(new URL("./folder-store-child.ts", import.meta.url), [place, task], {
    execArgv: ["--import", "tsx"],
  });
  const numbers: number[] = [];
  const said = once(process, "message").then(([message]) => message as unknown);
  process.on("message", (message) => typeof message === "number" && numbers.push(message));
  return { process, said, numbers };
}

/** The real disk, until told otherwise: then writes stop half-way, and syncs and cuts fail. */
class FailingDisk {
  full = false;
  /** Syncs of the folder itself fail. */
  failsFolder = false;
  fullFor: string | undefined;
  #left = Infinity;

  failAfter(steps: number): void {
    this.#left = steps;
  }

  readonly files: Files = {
    ...nodeFiles,
    open: (async (path: string, ...rest: Any[]) => {
      const file = await (nodeFiles.open as Any)(path, ...rest);
      return this.#watch(file, path);
    }) as Any,
  };

  #watch(file: nodeFiles.FileHandle, path: string): nodeFiles.FileHandle {
    const step = (): void => {
      if ((this.#left -= 1) < 0 || this.full || path.endsWith(this.fullFor ?? "\0")) {
        if (this.full || this.fullFor) throw Object.assign(new Error("the disk is full"), { code: "ENOSPC" });
        throw Object.assign(new Error("the disk has failed"), { code: "EIO" });
      }
    };
    const write = file.write.bind(file) as Any;
    const syncOf = file.sync.bind(file);
    const half = async (bytes: Uint8Array, offset: number, length: number, position: number) => {
      const part = Math.ceil(length / 2);
      const result = await write(bytes, offset, part, position);
      step();
      return result;
    };
    const cut = (name: "datasync" | "truncate") => {
      const own = (file[name] as Any).bind(file);
      return async (...given: Any[]) => {
        // A full disk can still be synced: there is nothing new on it.
        if (name === "datasync" && !this.full) step();
        return own(...given);
      };
    };
    const sync = async () => {
      if (this.failsFolder) throw Object.assign(new Error("EIO: the disk has failed"), { code: "EIO" });
      return syncOf();
    };
    return Object.assign(file, { sync, write: half, datasync: cut("datasync"), truncate: cut("truncate") });
  }
}
