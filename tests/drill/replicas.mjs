// Replicas that write what can be counted, and readers that see what a region holds of it.
//
// Each commit appends its own name to the list of one document and adds one to that document's counter: a commit that is
// lost is missing from the list, one that is applied twice is in it twice, or makes the counter more than the list is long.

import { Counter, memory, openSpace } from "eyot";

/** Milliseconds of the machine's clock, the same in all of its processes. */
export function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A replica that writes, and remembers what became of each of its commits. */
export class Writer {
  /** In the order they were made: `{ id, madeAt, ackedAt: { 1: ms, 2: ms } }`. */
  commits = [];
  #documents;
  #timer;

  /** Of `documents`, names, it writes to those in `own` in turn. */
  static async open({ name, space, relays, documents, own = documents }) {
    const reader = await Reader.open({ space, relays, documents });
    return new Writer(name, reader, await Promise.all(own.map((document) => reader.document(document))));
  }

  constructor(name, reader, documents) {
    this.name = name;
    this.reader = reader;
    this.#documents = documents;
  }

  get space() {
    return this.reader.space;
  }

  /** The region of the relay it is linked to. */
  get region() {
    return this.space.status.relay?.region;
  }

  /** One commit. */
  write() {
    const number = this.commits.length;
    const id = `${this.name}-${number}`;
    const made = { id, madeAt: now(), ackedAt: {} };
    this.commits.push(made);
    const commit = this.#documents[number % this.#documents.length].change((draft) => {
      draft.entries.push(id);
      draft.count.increment();
    });
    for (const regions of [1, 2]) {
      commit.durable({ regions }).then(
        () => (made.ackedAt[regions] = now()),
        () => undefined, // Never acknowledged: then it counts as such.
      );
    }
  }

  start(perSecond) {
    this.#timer = setInterval(() => this.write(), 1000 / perSecond);
  }

  stop() {
    clearInterval(this.#timer);
  }
}

/** Sees what a holder has. */
export class Reader {
  #names;
  #documents = new Map();

  static async open({ space, relays, documents }) {
    return new Reader(await openSpace(space, { relays, storage: memory() }), documents);
  }

  /** With nothing of its own, and knowing no other relay: it has what that relay has. */
  static async of({ space, relay, documents }) {
    const reader = await Reader.open({ space, relays: [relay], documents });
    // A document that is opened by name before it has come would be made anew.
    await reader.space.synced();
    return reader;
  }

  constructor(space, names) {
    this.space = space;
    this.#names = names;
  }

  async document(name) {
    if (!this.#documents.has(name)) {
      this.#documents.set(name, await this.space.named(name, { count: new Counter(), entries: [] }));
    }
    return this.#documents.get(name);
  }

  /** What is held, without opening it: the same for holders of the same commits. */
  census() {
    const counts = this.space.documents().map(({ id, commits }) => `${id} ${commits}`);
    return counts.sort().join();
  }

  /** By document: what it says, and what it is made of. */
  async contents() {
    const held = new Map(this.space.documents().map(({ id, commits }) => [id, commits]));
    const all = {};
    for (const name of this.#names) {
      const { id, value, heads } = await this.document(name);
      const { count, entries } = value;
      all[name] = { count: count.value, entries: [...entries], heads: [...heads].sort(), commits: held.get(id) };
    }
    return all;
  }
}
