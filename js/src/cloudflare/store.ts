/** A relay's storage: the SQLite of its Durable Object. */

import type { StoreScan, StoreWrite, SyncStore } from "../../wasm/eyot_web.js";
import type { Setup } from "./options.js";
import type { SqlStorage } from "./platform.js";

/** One table of ordered keys. Without a row id, a write costs one row. */
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

/** What the object was last told to serve; it must know that when an alarm or a message wakes it, too. */
export function readSetup({ sql }: SqlStorage): Setup | undefined {
  sql.exec(SETUP_TABLE);
  for (const { told } of sql.exec("SELECT told FROM setup")) return JSON.parse(told as string) as Setup;
  return undefined;
}

export function saveSetup({ sql }: SqlStorage, setup: Setup): void {
  sql.exec("INSERT OR REPLACE INTO setup (id, told) VALUES (0, ?)", JSON.stringify(setup));
}

const SETUP_TABLE = "CREATE TABLE IF NOT EXISTS setup (id INTEGER PRIMARY KEY, told TEXT NOT NULL)";
