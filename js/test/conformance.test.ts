/** The tests of stores: a store that does as it should passes, and whatever it does otherwise is found. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { storeTests } from "../src/entries/conformance.js";
import type { AsyncStore, StoreScan, StoreWrite } from "../src/storage/store.js";
import { MemoryStore, text } from "./memory-store.js";

type Kind = new (entries: Map<string, Uint8Array>) => AsyncStore;

/** What the tests have against a store of that kind. `keeps`: what was written is there when it is opened again. */
async function complaintsAbout(kind: Kind, keeps = true): Promise<string[]> {
  const places = new Map<string, Map<string, Uint8Array>>();
  const open = async (place: string): Promise<AsyncStore> => {
    const entries = (keeps ? places.get(place) : undefined) ?? new Map<string, Uint8Array>();
    places.set(place, entries);
    return new kind(entries);
  };
  const failed: string[] = [];
  for (const { name, run } of storeTests({ open, crash: async () => undefined })) {
    await run().catch(() => failed.push(name));
  }
  return failed;
}

it("have nothing against a store that does as it should", async () => {
  assert.deepEqual(await complaintsAbout(MemoryStore), []);
});

const faults: Record<string, Kind> = {
  "null for what is not there": class extends MemoryStore {
    override async get(keys: Uint8Array[]) {
      return (await super.get(keys)).map((value) => value ?? (null as unknown as undefined));
    }
  },
  "keys in another order": class extends MemoryStore {
    protected override sorted(keys: string[]) {
      return keys.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    }
  },
  "deletes after puts": class extends MemoryStore {
    override async write(batch: StoreWrite) {
      if (!(await super.write({ ...batch, deletes: [] }))) return false;
      return super.write({ puts: [], deletes: batch.deletes });
    }
  },
  "no guards": class extends MemoryStore {
    protected override holds() {
      return true;
    }
  },
  "guards that are looked at too early": class extends MemoryStore {
    override async write({ guardKey, guardValue, ...batch }: StoreWrite) {
      if (guardKey !== undefined && !this.holds(this.entries.get(text(guardKey)), guardValue)) return false;
      await null;
      return super.write(batch);
    }
  },
  "a batch without its guard's effect": class extends MemoryStore {
    override async write(batch: StoreWrite) {
      const written = await super.write(batch);
      if (!written) await super.write({ puts: batch.puts, deletes: [] });
      return written;
    }
  },
  "scans without an end": class extends MemoryStore {
    protected override isFull() {
      return false;
    }
  },
  "scans that may give nothing": class extends MemoryStore {
    protected override isFull({ keys }: StoreScan, size: number, bytesMax: number) {
      return size >= bytesMax || (keys.length === 0 && bytesMax < 16);
    }
  },
  "values that are cut": class extends MemoryStore {
    override async write(batch: StoreWrite) {
      return super.write({ ...batch, puts: batch.puts.map(([key, value]) => [key, value.slice(0, 2 ** 16)]) });
    }
  },
  "bytes that are the caller's": class extends MemoryStore {
    override async write({ puts, ...batch }: StoreWrite) {
      if (!(await super.write({ puts: [], ...batch }))) return false;
      for (const [key, value] of puts) this.entries.set(text(key), value);
      return true;
    }
  },
};

for (const [fault, kind] of Object.entries(faults)) {
  it(`find ${fault}`, async () => assert.notDeepEqual(await complaintsAbout(kind), []));
}

it("find a store that forgets", async () => {
  const complaints = await complaintsAbout(MemoryStore, false);
  assert.deepEqual(complaints.length, 2);
  assert.match(complaints.join(), /after a close.*after a crash/);
});
