/** The store of `eyot relay`, by the tests of stores. Without SQLite in this Node, nothing is tested here. */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { storeTests } from "../src/conformance/register.js";
import { findSqlite } from "../src/server/sqlite.js";
import { Stores } from "../src/server/store.js";
import type { AsyncStore } from "../src/storage/store.js";

const sqlite = await findSqlite().catch(() => undefined);
const folder = mkdtempSync(join(tmpdir(), "eyot-sqlite-"));
after(() => rmSync(folder, { recursive: true }));

/** As a replica would use it: what it writes is durable when it says so. */
async function open(place: string): Promise<AsyncStore> {
  const stores = new Stores(sqlite!, pathOf(place), (error) => assert.fail(String(error)));
  const store = stores.store("space");
  // Another space in the same database, which is in nobody's way.
  stores.store("another").write({ puts: [[Uint8Array.of(1), Uint8Array.of(2)]], deletes: [] });
  return {
    get: async (keys) => store.get(keys),
    scan: async (from, to, bytesMax) => store.scan(from, to, bytesMax),
    write: async (batch) => {
      const isWritten = store.write(batch);
      await new Promise<void>((resolve) => stores.afterWrites(resolve));
      return isWritten;
    },
    close: async () => stores.close(),
  };
}

/** How often each place has crashed. */
const crashes = new Map<string, number>();

const pathOf = (place: string): string => join(folder, `${place}-${crashes.get(place) ?? 0}.sqlite`);

/** What is in the files at that moment is what the next process finds. */
async function crash(_: AsyncStore, place: string): Promise<void> {
  const before = pathOf(place);
  crashes.set(place, (crashes.get(place) ?? 0) + 1);
  for (const end of ["", "-wal"]) copyFileSync(before + end, pathOf(place) + end);
}

describe("the store of a relay in Node", { skip: sqlite === undefined && "this Node has no SQLite" }, () => {
  for (const { name, run } of storeTests({ open, crash })) it(name, run);

  it("does what depends on writes once they are on disk, in order", async () => {
    const stores = new Stores(sqlite!, join(folder, "order.sqlite"), (error) => assert.fail(String(error)));
    const store = stores.store("space");
    const done: string[] = [];
    stores.afterWrites(() => done.push("nothing was written"));
    assert.deepEqual(done, ["nothing was written"]);
    store.write({ puts: [[Uint8Array.of(1), Uint8Array.of(1)]], deletes: [] });
    stores.afterWrites(() => done.push("first"));
    store.write({ puts: [[Uint8Array.of(2), Uint8Array.of(2)]], deletes: [] });
    await new Promise<void>((resolve) => stores.afterWrites(() => resolve(void done.push("second"))));
    assert.deepEqual(done, ["nothing was written", "first", "second"]);
    stores.close();
  });

  it("is nobody else's while it is open", () => {
    const path = join(folder, "locked.sqlite");
    const stores = new Stores(sqlite!, path, (error) => assert.fail(String(error)));
    assert.throws(() => new Stores(sqlite!, path, () => undefined), /locked|busy/);
    stores.close();
    new Stores(sqlite!, path, () => undefined).close();
  });

  it("acknowledges nothing once its file is gone", async () => {
    const path = join(folder, "gone.sqlite");
    let failed: unknown;
    const hasFailed = new Promise<void>((resolve) => {
      const stores = new Stores(sqlite!, path, (error) => resolve(void (failed = error)));
      rmSync(path);
      stores.store("space").write({ puts: [[Uint8Array.of(1), Uint8Array.of(1)]], deletes: [] });
      stores.afterWrites(() => assert.fail("it is acknowledged"));
    });
    await hasFailed;
    assert.match(String(failed), /was deleted or replaced/);
    assert.ok(!existsSync(path));
  });
});
