/**
 * Tests, for `node:test`, of everything that a replica relies on in a store. For stores of your own:
 *
 *     import { storeConformance } from "eyot/conformance";
 *     storeConformance("my store", { open: (place) => MyStore.open(place) });
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkFunction, checkText } from "../base/check.js";
import type { AsyncStore, StoreWrite } from "../storage/store.js";

export interface StoreHarness {
  /** Opens the store at that place. A place that was not opened before is empty. */
  open(place: string): Promise<AsyncStore>;
  /** Leaves a store as a killed process would: without a flush or a close. Omitted: crashes are not tested. */
  crash?(store: AsyncStore, place: string): Promise<void>;
}

const ROUNDS = 40;
const VALUE_BYTES_MAX = 1024 * 1024;

/** Registers the tests. */
export function storeConformance(name: string, harness: StoreHarness): void {
  checkText("the name of a store", name);
  checkFunction("the harness's open", (harness as Partial<StoreHarness> | undefined)?.open);
  if (harness.crash !== undefined) checkFunction("the harness's crash", harness.crash);
  describe(`${name} is a store`, () => {
    let places = 0;
    const place = () => `conformance-${process.pid}-${++places}`;
    const fresh = (test: (store: AsyncStore) => Promise<void>) => async () => {
      const store = await harness.open(place());
      try {
        await test(store);
      } finally {
        await store.close();
      }
    };

    it("a new store is empty", fresh(startsEmpty));
    it("what was put is got, bytes for bytes", fresh(getsWhatWasPut));
    it("the last put of a key stands", fresh(overwrites));
    it("a batch's deletes come before its puts", fresh(deletesFirst));
    it("keys are in the order of their bytes", fresh(ordersByBytes));
    it("a scan stops at its end and at its size, and says if there is more", fresh(scansInPieces));
    it("a scan gives one entry however large", fresh(scansAtLeastOne));
    it("a batch whose guard does not hold changes nothing", fresh(guards));
    it("of two batches with the same guard at once only one is written", fresh(guardsRaces));
    it("a value of 1 MiB is taken", fresh(takesLargeValues));
    it("bytes handed in or out can be changed without harm", fresh(copies));
    it("what was written is there after a close", () => survivesClose(harness, place()));
    if (harness.crash !== undefined) {
      it("what was written is there after a crash, whole batches only", () => survivesCrashes(harness, place()));
    }
  });
}

async function startsEmpty(store: AsyncStore): Promise<void> {
  assert.deepEqual(await store.get([key("a")]), [undefined]);
  assert.deepEqual(await all(store), []);
}

async function getsWhatWasPut(store: AsyncStore): Promise<void> {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  await put(store, ["empty", new Uint8Array()], ["bytes", bytes]);
  const [empty, none, back] = await store.get([key("empty"), key("none"), key("bytes")]);
  assert.deepEqual(plain(empty), []);
  assert.equal(none, undefined);
  assert.deepEqual(plain(back), [...bytes]);
}

async function overwrites(store: AsyncStore): Promise<void> {
  await put(store, ["a", key("1")]);
  await put(store, ["a", key("2")]);
  assert.deepEqual(await all(store), [["a", "2"]]);
}

async function deletesFirst(store: AsyncStore): Promise<void> {
  await put(store, ["a", key("1")], ["b", key("1")]);
  await store.write({ puts: [[key("a"), key("2")]], deletes: [key("a"), key("b"), key("never there")] });
  assert.deepEqual(await all(store), [["a", "2"]]);
}

async function ordersByBytes(store: AsyncStore): Promise<void> {
  const keys = [[0xff], [0x80], [0x7f, 0xff], [0x7f], [0], [0, 0], [1]].map((bytes) => Uint8Array.from(bytes));
  for (const one of keys) await store.write({ puts: [[one, one]], deletes: [] });
  const { keys: found } = await store.scan(Uint8Array.of(), Uint8Array.of(0xff, 0xff), 1000);
  const ordered = [[0], [0, 0], [1], [0x7f], [0x7f, 0xff], [0x80], [0xff]];
  assert.deepEqual(found.map(plain), ordered);
}

async function scansInPieces(store: AsyncStore): Promise<void> {
  const values = Array.from({ length: 10 }, (_, at): [string, Uint8Array] => [`k${at}`, new Uint8Array(100)]);
  await put(store, ...values);
  const first = await store.scan(key("k2"), key("k8"), 250);
  assert.equal(first.more, true);
  assert.ok(first.keys.length >= 2 && first.keys.length <= 3, `${first.keys.length} entries for 250 bytes`);
  const last = first.keys[first.keys.length - 1]!;
  const second = await store.scan(Uint8Array.of(...last, 0), key("k8"), 100_000);
  assert.equal(second.more, false);
  const found = [...first.keys, ...second.keys].map((bytes) => new TextDecoder().decode(bytes));
  assert.deepEqual(found, ["k2", "k3", "k4", "k5", "k6", "k7"]);
}

async function scansAtLeastOne(store: AsyncStore): Promise<void> {
  await put(store, ["a", new Uint8Array(5000)], ["b", new Uint8Array(1)]);
  const { keys, more } = await store.scan(key("a"), key("z"), 1);
  assert.equal(keys.length, 1);
  assert.equal(more, true);
}

async function guards(store: AsyncStore): Promise<void> {
  const attempt = (guardValue: Uint8Array | undefined, value: string): Promise<boolean> =>
    store.write({ guardKey: key("guard"), guardValue, puts: [[key("guard"), key(value)]], deletes: [key("other")] });
  await put(store, ["other", key("1")]);
  assert.equal(await attempt(key("wrong"), "x"), false);
  assert.deepEqual(await all(store), [["other", "1"]]);
  assert.equal(await attempt(undefined, "1"), true);
  assert.equal(await attempt(undefined, "x"), false);
  assert.equal(await attempt(key("1"), "2"), true);
  assert.deepEqual(await all(store), [["guard", "2"]]);
}

async function guardsRaces(store: AsyncStore): Promise<void> {
  const attempt = (value: string): Promise<boolean> =>
    store.write({ guardKey: key("guard"), guardValue: undefined, puts: [[key("guard"), key(value)]], deletes: [] });
  const written = await Promise.all([attempt("1"), attempt("2"), attempt("3")]);
  assert.equal(written.filter(Boolean).length, 1);
  assert.deepEqual(await all(store), [["guard", String(written.indexOf(true) + 1)]]);
}

async function takesLargeValues(store: AsyncStore): Promise<void> {
  const value = Uint8Array.from({ length: VALUE_BYTES_MAX }, (_, at) => (at * 31) % 251);
  await put(store, ["large", value]);
  const [back] = await store.get([key("large")]);
  assert.equal(Buffer.compare(back!, value), 0);
}

async function copies(store: AsyncStore): Promise<void> {
  const value = Uint8Array.of(1, 2, 3);
  const name = key("a");
  await store.write({ puts: [[name, value]], deletes: [] });
  value[0] = 9;
  name[0] = 9;
  const [once] = await store.get([key("a")]);
  assert.deepEqual(plain(once), [1, 2, 3]);
  once![0] = 9;
  assert.deepEqual(plain((await store.get([key("a")]))[0]), [1, 2, 3]);
}

async function survivesClose(harness: StoreHarness, place: string): Promise<void> {
  const rounds = new Rounds();
  for (let round = 0; round < 5; round++) {
    const store = await harness.open(place);
    await rounds.check(store);
    await rounds.write(store, 3);
    await store.close();
  }
}

async function survivesCrashes(harness: StoreHarness, place: string): Promise<void> {
  const rounds = new Rounds();
  for (let round = 0; round < 10; round++) {
    const store = await harness.open(place);
    await rounds.check(store);
    await rounds.write(store, 3);
    await harness.crash!(store, place);
  }
}

/** Writes batches of several keys, and checks that the store holds whole batches only. */
class Rounds {
  #last = 0;
  readonly #values = new Map<string, string>();

  async write(store: AsyncStore, batches: number): Promise<void> {
    for (let batch = 0; batch < batches; batch++) {
      const number = ++this.#last;
      const puts = [`a${number % ROUNDS}`, `b${(number * 7) % ROUNDS}`, "c"];
      const gone = `b${(number * 3) % ROUNDS}`;
      const write: StoreWrite = { puts: puts.map((name) => [key(name), key(`v${number}`)]), deletes: [key(gone)] };
      assert.equal(await store.write(write), true);
      this.#values.delete(gone);
      for (const name of puts) this.#values.set(name, `v${number}`);
    }
  }

  async check(store: AsyncStore): Promise<void> {
    assert.deepEqual(
      await all(store),
      [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
}

function key(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function plain(bytes: Uint8Array | undefined): number[] | undefined {
  return bytes && [...bytes];
}

async function put(store: AsyncStore, ...entries: [string, Uint8Array][]): Promise<void> {
  assert.equal(await store.write({ puts: entries.map(([name, value]) => [key(name), value]), deletes: [] }), true);
}

/** All entries as text, scanned in small pieces. */
async function all(store: AsyncStore): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const text = new TextDecoder();
  let from = Uint8Array.of();
  for (;;) {
    const { keys, values, more } = await store.scan(from, Uint8Array.of(0xff, 0xff), 16);
    keys.forEach((bytes, at) => found.push([text.decode(bytes), text.decode(values[at])]));
    const last = keys[keys.length - 1];
    if (!more || last === undefined) return found;
    from = Uint8Array.of(...last, 0);
  }
}
