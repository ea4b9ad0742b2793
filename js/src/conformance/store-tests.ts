/**
 * Everything that a replica relies on in a store, as tests that need no runner and no platform: they throw what is wrong.
 */
import type { AsyncStore, StoreWrite } from "../storage/store.js";

export interface StoreHarness {
  /** Opens the store at that place. A place that was not opened before is empty. */
  open(place: string): Promise<AsyncStore>;
  /** Leaves a store as a killed process would: without a flush or a close. Omitted: crashes are not tested. */
  crash?(store: AsyncStore, place: string): Promise<void>;
}

/** One test. Resolves if the store passes, and rejects with an error that says what is wrong. */
export interface StoreTest {
  readonly name: string;
  run(): Promise<void>;
}

const ROUNDS = 40;
const VALUE_BYTES_MAX = 1024 * 1024;

/** All tests, each at places of its own. */
export function testsOf(harness: StoreHarness): StoreTest[] {
  const run = Math.random().toString(36).slice(2);
  let places = 0;
  const place = (): string => `conformance-${run}-${++places}`;
  const fresh = (name: string, test: (store: AsyncStore) => Promise<void>): StoreTest => ({
    name,
    async run() {
      const store = await harness.open(place());
      try {
        await test(store);
      } finally {
        await store.close();
      }
    },
  });
  const tests = [
    fresh("a new store is empty", startsEmpty),
    fresh("what was put is got, bytes for bytes", getsWhatWasPut),
    fresh("the last put of a key stands", overwrites),
    fresh("a batch's deletes come before its puts", deletesFirst),
    fresh("keys are in the order of their bytes", ordersByBytes),
    fresh("a scan stops at its end and at its size, and says if there is more", scansInPieces),
    fresh("a scan gives one entry however large", scansAtLeastOne),
    fresh("a batch whose guard does not hold changes nothing", guards),
    fresh("of two batches with the same guard at once only one is written", guardsRaces),
    fresh("a value of 1 MiB is taken", takesLargeValues),
    fresh("bytes handed in or out can be changed without harm", copies),
    { name: "what was written is there after a close", run: () => survivesClose(harness, place()) },
  ];
  if (harness.crash === undefined) return tests;
  const name = "what was written is there after a crash, whole batches only";
  return [...tests, { name, run: () => survivesCrashes(harness, place()) }];
}

async function startsEmpty(store: AsyncStore): Promise<void> {
  same(await store.get([key("a")]), [undefined]);
  same(await all(store), []);
}

async function getsWhatWasPut(store: AsyncStore): Promise<void> {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  await put(store, ["empty", new Uint8Array()], ["bytes", bytes]);
  const [empty, none, back] = await store.get([key("empty"), key("none"), key("bytes")]);
  same(plain(empty), []);
  same(none, undefined);
  same(plain(back), [...bytes]);
}

async function overwrites(store: AsyncStore): Promise<void> {
  await put(store, ["a", key("1")]);
  await put(store, ["a", key("2")]);
  same(await all(store), [["a", "2"]]);
}

async function deletesFirst(store: AsyncStore): Promise<void> {
  await put(store, ["a", key("1")], ["b", key("1")]);
  await store.write({ puts: [[key("a"), key("2")]], deletes: [key("a"), key("b"), key("never there")] });
  same(await all(store), [["a", "2"]]);
}

async function ordersByBytes(store: AsyncStore): Promise<void> {
  const keys = [[0xff], [0x80], [0x7f, 0xff], [0x7f], [0], [0, 0], [1]].map((bytes) => Uint8Array.from(bytes));
  for (const one of keys) await store.write({ puts: [[one, one]], deletes: [] });
  const { keys: found } = await store.scan(Uint8Array.of(), Uint8Array.of(0xff, 0xff), 1000);
  const ordered = [[0], [0, 0], [1], [0x7f], [0x7f, 0xff], [0x80], [0xff]];
  same(found.map(plain), ordered);
}

async function scansInPieces(store: AsyncStore): Promise<void> {
  const values = Array.from({ length: 10 }, (_, at): [string, Uint8Array] => [`k${at}`, new Uint8Array(100)]);
  await put(store, ...values);
  const first = await store.scan(key("k2"), key("k8"), 250);
  same(first.more, true);
  same([2, 3].includes(first.keys.length), true, `${first.keys.length} entries for 250 bytes`);
  const last = first.keys[first.keys.length - 1]!;
  const second = await store.scan(Uint8Array.of(...last, 0), key("k8"), 100_000);
  same(second.more, false);
  const found = [...first.keys, ...second.keys].map((bytes) => new TextDecoder().decode(bytes));
  same(found, ["k2", "k3", "k4", "k5", "k6", "k7"]);
}

async function scansAtLeastOne(store: AsyncStore): Promise<void> {
  await put(store, ["a", new Uint8Array(5000)], ["b", new Uint8Array(1)]);
  const { keys, more } = await store.scan(key("a"), key("z"), 1);
  same(keys.length, 1);
  same(more, true);
}

async function guards(store: AsyncStore): Promise<void> {
  const attempt = (guardValue: Uint8Array | undefined, value: string): Promise<boolean> =>
    store.write({ guardKey: key("guard"), guardValue, puts: [[key("guard"), key(value)]], deletes: [key("other")] });
  await put(store, ["other", key("1")]);
  same(await attempt(key("wrong"), "x"), false);
  same(await all(store), [["other", "1"]]);
  same(await attempt(undefined, "1"), true);
  same(await attempt(undefined, "x"), false);
  same(await attempt(key("1"), "2"), true);
  same(await all(store), [["guard", "2"]]);
}

async function guardsRaces(store: AsyncStore): Promise<void> {
  const attempt = (value: string): Promise<boolean> =>
    store.write({ guardKey: key("guard"), guardValue: undefined, puts: [[key("guard"), key(value)]], deletes: [] });
  const written = await Promise.all([attempt("1"), attempt("2"), attempt("3")]);
  same(written.filter(Boolean).length, 1);
  same(await all(store), [["guard", String(written.indexOf(true) + 1)]]);
}

async function takesLargeValues(store: AsyncStore): Promise<void> {
  const value = Uint8Array.from({ length: VALUE_BYTES_MAX }, (_, at) => (at * 31) % 251);
  await put(store, ["large", value]);
  const [back] = await store.get([key("large")]);
  same(back?.length, value.length);
  same(
    value.findIndex((byte, at) => byte !== back?.[at]),
    -1,
    "the bytes of 1 MiB came back as others",
  );
}

async function copies(store: AsyncStore): Promise<void> {
  const value = Uint8Array.of(1, 2, 3);
  const name = key("a");
  await store.write({ puts: [[name, value]], deletes: [] });
  value[0] = 9;
  name[0] = 9;
  const [once] = await store.get([key("a")]);
  same(plain(once), [1, 2, 3]);
  once![0] = 9;
  same(plain((await store.get([key("a")]))[0]), [1, 2, 3]);
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
      same(await store.write(write), true);
      this.#values.delete(gone);
      for (const name of puts) this.#values.set(name, `v${number}`);
    }
  }

  async check(store: AsyncStore): Promise<void> {
    same(
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
  same(await store.write({ puts: entries.map(([name, value]) => [key(name), value]), deletes: [] }), true);
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

/** Both are plain values: texts, numbers, lists of them. */
function same(found: unknown, wanted: unknown, what?: string): void {
  const [one, other] = [textOf(found), textOf(wanted)];
  if (one !== other) throw new Error(what ?? `${one} instead of ${other}`);
}

/** JSON has no undefined. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (part === undefined ? "(undefined)" : part));
}
