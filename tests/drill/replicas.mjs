// Replicas that write what can be counted, and readers that see what a region holds of it.
//
// Each commit appends its own name to the list of one document and adds one to that document's counter: a commit that is
// lost is missing from the list, one that is applied twice is in it twice, or makes the counter more than the list is long.

import { createHash } from "node:crypto";

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
    const opened = await openSpace(space, { relays, storage: memory() });
    const writer = new Writer(name, opened, documents);
    writer.#documents = await Promise.all(own.map((document) => open(opened, document)));
    return writer;
  }

  constructor(name, space, names) {
    this.name = name;
    this.space = space;
    this.names = names;
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

  contents() {
    return contents(this.space, this.names);
  }

  async close() {
    this.stop();
    await this.space.close();
  }
}

/** What a region holds: seen by a replica that has nothing of its own and knows no other region. */
export async function openReader({ space, relay }) {
  return openSpace(space, { relays: [relay], storage: memory() });
}

/** By document: what it says, and what it is made of. */
export async function contents(space, documents) {
  const all = {};
  for (const name of documents) {
    const document = await open(space, name);
    const { count, entries } = document.value;
    const { commits } = space.documents().find(({ id }) => id === document.id);
    all[name] = { count: count.value, entries: [...entries], heads: [...document.heads].sort(), commits };
    document.close();
  }
  return all;
}

/** Short, and the same for equal contents only. */
export function fingerprint(contents) {
  return createHash("sha256").update(JSON.stringify(contents)).digest("hex").slice(0, 16);
}

function open(space, name) {
  return space.named(name, { count: new Counter(), entries: [] });
}
