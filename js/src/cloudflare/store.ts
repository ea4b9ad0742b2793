/** The SQLite of a Durable Object as the store of its relay's log. */

import type { StoreScan, StoreWrite, SyncStore } from "./instance.js";
import type { SqlStorage } from "./platform.js";

/** Whether anything was ever kept here. */
export function hasStore({ sql }: SqlStorage): boolean {
  for (const _ of sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'kv'")) return true;
  return false;
}

/** The store of an object that has none. */
export const NO_STORE: SyncStore = {
  get: (keys) => keys.map(() => undefined),
  scan: () => ({ keys: [], values: [], more: false }),
  write: () => false,
};

/** One table, ordered by key. `WITHOUT ROWID` makes a write cost one row instead of two. */
export function sqlStore(storage: SqlStorage): SyncStore {
  const { sql } = storage;
  try {
    sql.exec("CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID");
  } catch (cause) {
    throw Object.assign(new Error(String(cause), { cause }), { code: "storage" });
  }
  const get = (key: Uint8Array): Uint8Array | undefined => {
    for (const { v } of sql.exec("SELECT v FROM kv WHERE k = ?", key)) return new Uint8Array(v as ArrayBuffer);
    return undefined;
  };
  return {
    get: (keys) => keys.map(get),
    scan(from, to, bytesMax): StoreScan {
      const scan: StoreScan = { keys: [], values: [], more: false };
      let bytes = 0;
      for (const { k, v } of sql.exec("SELECT k, v FROM kv WHERE k >= ? AND k < ? ORDER BY k", from, to)) {
        if (bytes > bytesMax) return { ...scan, more: true };
        const value = new Uint8Array(v as ArrayBuffer);
        bytes += value.length;
        scan.keys.push(new Uint8Array(k as ArrayBuffer));
        scan.values.push(value);
      }
      return scan;
    },
    write({ guardKey, guardValue, puts, deletes }: StoreWrite): boolean {
      return storage.transactionSync(() => {
        if (guardKey !== undefined && !equal(get(guardKey), guardValue)) return false;
        for (const key of deletes) sql.exec("DELETE FROM kv WHERE k = ?", key);
        for (const [key, value] of puts) sql.exec("INSERT OR REPLACE INTO kv (k, v) VALUES (?, ?)", key, value);
        return true;
      });
    },
  };
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
