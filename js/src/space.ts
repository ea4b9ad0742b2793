/** A space as the application holds it: its documents, its status, and what the engine tells of both. */
import { decodePlain, decodeValue, encodeOps, encodeValue } from "./codec.js";
import { NO_COMMIT, OwnCommit, Saves, type DurableOptions } from "./commit.js";
import { OpenDoc, SharedDoc, type Home } from "./doc.js";
import { EngineHost, type Engine, type EngineEvent, type EngineOptions, type Made } from "./engine.js";
import { EyotError, invalid } from "./error.js";
import { formatId, hex, parseId } from "./id.js";
import { PUT, type Op } from "./op.js";
import { Outbox } from "./outbox.js";
import { Reach } from "./reach.js";
import { lastStatus, nextStatus, STATUS_AT_FIRST } from "./status.js";
import type {
  Commit,
  Doc,
  DocId,
  DocInfo,
  DocUrl,
  Json,
  Space,
  SpaceOptions,
  Status,
  Unsubscribe,
  Wait,
} from "./types.js";
import { snapshotRoot } from "./value.js";
import { Limit } from "./wait.js";

/** Tells when the network is believed to have come or gone. Returns how to stop that. */
export type Network = (hint: (online: boolean) => void) => () => void;

export class OpenSpace implements Space, Home {
  readonly name: string;
  readonly #reach: Reach;
  readonly #saves = new Saves();
  readonly #outbox = new Outbox();
  readonly #docs = new Map<string, SharedDoc>();
  readonly #listeners = new Set<{ listener: (status: Status) => void }>();
  /** Whom to wake when a document arrives. */
  readonly #arrivals = new Map<string, Set<() => void>>();
  #host!: EngineHost;
  #closing: Promise<void> | undefined;
  #online = true;
  /** What stops when the space does. */
  readonly #ends: (() => void)[] = [];
  /** Lets go of the storage of an engine that cannot do so any more. */
  readonly #abandon: () => Promise<void>;
  #abandoned: Promise<void> | undefined;

  #status: Status = STATUS_AT_FIRST;
  #statusOld = true;
  #statusTold = false;

  /** Events that are not heard yet, and the calls of the engine under way. */
  readonly #events: EngineEvent[] = [];
  #calls = 0;

  /** Opens of documents under way. What they missed, and what was let go meanwhile. */
  #loads = 0;
  readonly #missed = new Set<string>();
  readonly #released = new Map<string, { bytes: Uint8Array; seq: number }>();
  /** The number of our last commit. */
  #made = 0;

  private constructor(name: string, options: SpaceOptions, abandon: () => Promise<void>) {
    this.name = name;
    this.#reach = new Reach({ run: (fn) => this.run(fn), changed: () => this.#statusChanged() }, options);
    this.#abandon = abandon;
  }

  static async open(
    name: string,
    options: SpaceOptions,
    engine: Pick<EngineOptions, "storage" | "connect">,
    network: Network | undefined,
    abandon: () => Promise<void>,
  ): Promise<OpenSpace> {
    const space = new OpenSpace(name, options, abandon);
    space.#host = await EngineHost.open(
      { space: name, ...engine, ...space.#reach.options },
      (events) => space.#hear(events),
      (error) => space.#die(error),
    );
    space.#statusChanged();
    space.#reach.setOnline(true);
    if (space.#reach.isWanted) space.#follow(network);
    return space;
  }

  create<T extends Json>(initial: T): Doc<T> {
    const value = snapshotRoot(initial);
    const ops = Object.keys(value).map((key): Op => [PUT, [key], value[key]]);
    const made = this.run((engine) => engine.create(encodeOps(ops), undefined));
    this.#made = Math.max(this.#made, made.seq);
    return new OpenDoc<T>(this.#add(new SharedDoc(this, made.doc, value)));
  }

  async named<T extends Json>(name: string, initial: T): Promise<Doc<T>> {
    if (typeof name !== "string") throw invalid("a document's name is a string");
    const bytes = encodeValue(snapshotRoot(initial));
    return this.#loading(async () => {
      const { doc, value } = await this.#host.wait((engine) => engine.named(name, bytes));
      return new OpenDoc<T>(this.#loaded(doc, value));
    });
  }

  async open<T extends Json>(id: DocId | DocUrl, options?: Wait): Promise<Doc<T>> {
    const bytes = parseId(id);
    const limit = new Limit(options);
    let arrived = (): void => undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const forget = this.#expect(hex(bytes), arrived);
    try {
      const held = await this.#load<T>(bytes, limit);
      if (held !== undefined) return held;
      if (this.#reach.isWanted) {
        await limit.race(Promise.race([arrival, this.#reached(limit, (engine) => engine.synced())]));
        const found = await this.#load<T>(bytes, limit);
        if (found !== undefined) return found;
      }
      throw new EyotError("not-found", `there is no document ${id}`);
    } finally {
      forget();
      limit.end();
    }
  }

  delete(id: DocId | DocUrl): Commit {
    const bytes = parseId(id);
    const made = this.run(
      (engine) => engine.remove(bytes),
      () => this.#deleted(bytes),
    );
    return this.commit(made);
  }

  documents(): readonly DocInfo[] {
    const list = decodePlain(this.run((engine) => engine.documents())) as (Omit<DocInfo, "id"> & { id: Uint8Array })[];
    return Object.freeze(list.map((info) => Object.freeze({ ...info, id: formatId(info.id) })));
  }

  get status(): Status {
    if (this.#statusOld && this.#host.dead === undefined) {
      this.#statusOld = false;
      const now = this.#host.call((engine) => engine.status());
      this.#status = nextStatus(this.#status, now, this.#reach.status(now));
    }
    return this.#status;
  }

  subscribe(listener: (status: Status) => void): Unsubscribe {
    const entry = { listener };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  synced(options?: Wait): Promise<void> {
    return this.#wait(options, (engine) => engine.synced());
  }

  durable(options?: DurableOptions): Promise<void> {
    return this.#durable(undefined, options);
  }

  async fresh({ regions, ...wait }: Partial<FreshOptions> = {}): Promise<void> {
    const count = wholeRegions(regions);
    await this.#wait(wait, (engine) => engine.fresh(count));
  }

  get online(): boolean {
    return this.#online;
  }

  setOnline(online: boolean): void {
    this.#link(online);
    this.#online = online;
    this.#statusChanged();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // What documents need of their space.

  run<R>(fn: (engine: Engine) => R, then?: (result: R) => void): R {
    this.check();
    this.#calls += 1;
    try {
      const result = this.#host.call(fn);
      then?.(result);
      return result;
    } finally {
      this.#calls -= 1;
      this.#listen();
    }
  }

  check(): void {
    if (this.#closing !== undefined) throw new EyotError("closed", `the space ${this.name} is closed`);
  }

  commit(made: Made): Commit {
    if (made.seq === 0) return NO_COMMIT;
    this.#made = made.seq;
    return new OwnCommit(made, this.#saves, (seq, options) => this.#durable(seq, options));
  }

  release(doc: SharedDoc): void {
    this.#docs.delete(doc.key);
    this.#released.set(doc.key, { bytes: doc.bytes, seq: this.#made });
    if (this.#loads > 0) this.#missed.add(doc.key);
    this.#closeReleased();
  }

  post(notice: () => void): void {
    this.#outbox.post(notice);
  }

  async #durable(seq: number | undefined, { regions = 1, ...wait }: DurableOptions = {}): Promise<void> {
    const count = wholeRegions(regions);
    await this.#wait(wait, (engine) => engine.durable(count, seq));
  }

  async #wait(options: Wait | undefined, fn: (engine: Engine) => Promise<void>): Promise<void> {
    const limit = new Limit(options);
    try {
      await this.#reached(limit, fn);
    } finally {
      limit.end();
    }
  }

  /** Asks the engine for what relays have to answer, once it is known where they are. */
  async #reached(limit: Limit, fn: (engine: Engine) => Promise<void>): Promise<void> {
    const { known } = this.#reach;
    if (known !== undefined) await this.#host.wait(() => known, limit);
    await this.#host.wait(fn, limit);
  }

  #link(online: boolean): void {
    this.run((engine) => engine.setOnline(online));
    this.#reach.setOnline(online);
  }

  /** Goes by what the platform believes of the network. The application's own switch comes first. */
  #follow(network: Network | undefined): void {
    const stop = network?.((online) => {
      if (this.#online && this.#closing === undefined) this.#link(online);
    });
    if (stop !== undefined) this.#ends.push(stop);
  }

  async #close(): Promise<void> {
    if (this.#abandoned !== undefined) return this.#abandoned;
    this.#reach.end();
    try {
      await this.#host.wait((engine) => engine.close());
      this.#setStatus(lastStatus(this.status));
    } finally {
      this.#stop(this.#host.end());
    }
  }

  #die(error: EyotError): void {
    this.#stop(error);
    this.#setStatus(lastStatus(this.#status, error));
    this.#abandoned = this.#abandon();
  }

  #stop(error: EyotError): void {
    this.#reach.end();
    this.#saves.end(error);
    for (const end of this.#ends.splice(0)) end();
  }

  // Opening documents.

  /** A handle of a document that storage holds, else undefined. */
  async #load<T extends Json>(bytes: Uint8Array, limit: Limit): Promise<Doc<T> | undefined> {
    this.check();
    if (this.#host.dead !== undefined) throw this.#host.dead;
    const known = this.#docs.get(hex(bytes));
    if (known !== undefined && !known.deleted) return new OpenDoc<T>(known);
    const work = this.#loading(async () => {
      const value = await this.#host.wait((engine) => engine.openDoc(bytes));
      return value && new OpenDoc<T>(this.#loaded(bytes, value));
    });
    try {
      return await limit.race(work);
    } catch (error) {
      // Given up before it came: then nobody will close it.
      work.then(
        (doc) => doc?.close(),
        () => undefined,
      );
      throw error;
    }
  }

  async #loading<R>(work: () => Promise<R>): Promise<R> {
    this.#loads += 1;
    try {
      return await work();
    } finally {
      this.#loads -= 1;
      if (this.#loads === 0) this.#missed.clear();
      this.#closeReleased();
    }
  }

  #loaded(bytes: Uint8Array, value: Uint8Array): SharedDoc {
    this.check();
    const key = hex(bytes);
    const known = this.#docs.get(key);
    if (known !== undefined) return known;
    const newest = this.#missed.delete(key) ? this.#host.call((engine) => engine.value(bytes)) : value;
    return this.#add(new SharedDoc(this, bytes, decodeValue(newest)));
  }

  #add(doc: SharedDoc): SharedDoc {
    this.#docs.set(doc.key, doc);
    return doc;
  }

  /**
   * The core closes a document only while none is being opened, as it may be the same, and once
   * storage has all that we did in it, as that is where it would be read from again.
   */
  #closeReleased(): void {
    if (this.#loads > 0 || this.#closing !== undefined || this.#host.dead !== undefined) return;
    for (const [key, { bytes, seq }] of this.#released) {
      if (!this.#saves.has(seq)) continue;
      this.#released.delete(key);
      if (!this.#docs.has(key)) this.run((engine) => engine.closeDoc(bytes));
    }
  }

  #expect(key: string, arrived: () => void): () => void {
    const waiting = this.#arrivals.get(key) ?? new Set();
    this.#arrivals.set(key, waiting.add(arrived));
    return () => {
      waiting.delete(arrived);
      if (waiting.size === 0) this.#arrivals.delete(key);
    };
  }

  // What the engine tells.

  #hear(events: EngineEvent[]): void {
    this.#events.push(...events);
    this.#listen();
  }

  /** Brings everything up to date before any listener runs. */
  #listen(): void {
    if (this.#calls > 0) return;
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) this.#take(event);
    for (const doc of this.#docs.values()) {
      if (doc.stale && this.#closing === undefined)
        doc.reset(decodeValue(this.#host.call((engine) => engine.value(doc.bytes))));
    }
    this.#outbox.flush();
  }

  #take(event: EngineEvent): void {
    switch (event.type) {
      case "patches": {
        const key = hex(event.doc);
        const doc = this.#docs.get(key);
        if (doc !== undefined) doc.patch(event.patches, "remote");
        else if (this.#loads > 0) this.#missed.add(key);
        break;
      }
      case "reset":
        this.#docs.get(hex(event.doc))?.reset(decodeValue(event.value));
        break;
      case "held":
        for (const arrived of this.#arrivals.get(hex(event.doc)) ?? []) arrived();
        break;
      case "deleted":
        this.#deleted(event.doc);
        break;
      case "saved":
        this.#saves.saved(event.seq);
        this.#closeReleased();
        break;
      case "saveFailed":
        this.#saves.failed(event.message);
        break;
      case "status":
        this.#statusChanged();
        break;
      case "unreachable":
        this.#reach.unreachable(this.status.relay !== undefined);
        break;
      case "tokenExpiring":
        this.#reach.tokenExpiring();
        break;
    }
  }

  #deleted(bytes: Uint8Array): void {
    const doc = this.#docs.get(hex(bytes));
    if (doc !== undefined) doc.deleted = true;
  }

  /** Many changes in a row are looked at once. */
  #statusChanged(): void {
    this.#statusOld = true;
    if (this.#listeners.size === 0 || this.#statusTold) return;
    this.#statusTold = true;
    const seen = this.#status;
    queueMicrotask(() => {
      this.#statusTold = false;
      if (this.#host.dead !== undefined) return;
      const status = this.status;
      if (status !== seen) this.#tell(status);
    });
  }

  #setStatus(status: Status): void {
    this.#status = status;
    this.#statusOld = false;
    this.#tell(status);
  }

  #tell(status: Status): void {
    for (const entry of this.#listeners) {
      this.post(() => {
        if (this.#listeners.has(entry)) entry.listener(status);
      });
    }
    if (this.#calls === 0) this.#outbox.flush();
  }
}

type FreshOptions = Wait & { regions: number };

/** The engine counts in 32 bits. */
function wholeRegions(regions: number | undefined): number {
  if (!Number.isInteger(regions) || regions! < 1) throw invalid("regions is a whole number from 1");
  return Math.min(regions!, 2 ** 32 - 1);
}
