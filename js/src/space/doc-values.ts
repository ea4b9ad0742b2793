/**
 * The values of all documents of a space, open or not, for queries: read once, from what the engine keeps of values, and
 * kept up to date from then on. They are in memory while there is a query.
 */
import { hex } from "../base/id.js";
import { decodeValue } from "../value/codec.js";
import type { ValueMap } from "../value/value.js";
import type { EditedDoc, SpaceContext } from "./context.js";

/** What follows the values: told what is different, and then once that all of it was said. */
export interface Follower {
  /** All values there are, once, before any is set. */
  fill(values: Iterable<[string, HeldValue]>): void;
  /** Undefined: the document is gone. */
  set(key: string, doc: HeldValue | undefined): void;
  told(): void;
}

/** A document and its value. */
export interface HeldValue {
  readonly bytes: Uint8Array;
  readonly value: ValueMap;
}

/** The length that stands for a value which is not there. */
const UNKNOWN = 0xffff_ffff;

export class DocValues {
  readonly #context: SpaceContext;
  /** By id in hexadecimal. */
  readonly values = new Map<string, HeldValue>();
  readonly #followers = new Set<Follower>();
  /** Open documents that have changed since followers were told. */
  readonly #touched = new Map<string, EditedDoc>();
  /** Documents whose value is being read; whether they have changed meanwhile. */
  readonly #reading = new Map<string, { isStale: boolean }>();
  /** Documents that were deleted while all values were being read. */
  readonly #gone = new Set<string>();
  #loading: Promise<void> | undefined;
  isLoaded = false;
  #isScheduled = false;

  constructor(context: SpaceContext) {
    this.#context = context;
  }

  /** Whether there is anybody who wants them. */
  get isUsed(): boolean {
    return this.#followers.size > 0;
  }

  /** Resolves once all are here. */
  follow(follower: Follower): Promise<void> {
    this.#followers.add(follower);
    this.#loading ??= this.#load();
    return this.#loading;
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower);
    if (this.isUsed) return;
    this.values.clear();
    this.#touched.clear();
    this.#reading.clear();
    this.#gone.clear();
    this.#loading = undefined;
    this.isLoaded = false;
    if (this.#isAlive) this.#context.run((engine) => engine.watch(false));
  }

  /** An open document has changed, or was opened or closed. */
  touched(doc: EditedDoc): void {
    if (!this.isUsed) return;
    this.#touched.set(doc.key, doc);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (this.#isAlive) this.#flush();
    });
  }

  /** A document that is not open has changed. */
  changed(bytes: Uint8Array): void {
    if (!this.isUsed) return;
    const reading = this.#reading.get(hex(bytes));
    if (reading !== undefined) reading.isStale = true;
    else void this.#read(bytes);
  }

  /** A document was deleted. */
  deleted(bytes: Uint8Array): void {
    if (!this.isUsed) return;
    const key = hex(bytes);
    this.#reading.delete(key);
    this.#touched.delete(key);
    if (!this.isLoaded) this.#gone.add(key);
    this.#set(key, undefined);
  }

  /** Brings followers up to date. A transaction that is under way is nothing yet. */
  refresh(): void {
    if (!this.isUsed || this.#context.transaction !== undefined) return;
    for (const [key, doc] of this.#touched) {
      this.#reading.delete(key);
      this.#set(key, doc.deleted ? undefined : { bytes: doc.bytes, value: doc.value });
    }
    this.#touched.clear();
    if (this.isLoaded) for (const follower of this.#followers) follower.told();
  }

  end(): void {
    this.#followers.clear();
    this.values.clear();
  }

  get #isAlive(): boolean {
    return !this.#context.isClosed && this.#context.engine.dead === undefined;
  }

  async #load(): Promise<void> {
    const { engine } = this.#context;
    this.#context.run((engine) => engine.watch(true));
    for (const doc of this.#context.openDocs()) this.#touched.set(doc.key, doc);
    const packed = await engine.wait((engine) => engine.values());
    const missing: Uint8Array[] = [];
    const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    for (let at = 0; at < packed.length;) {
      const bytes = packed.slice(at, at + 16);
      const length = view.getUint32(at + 16);
      at += 20;
      const key = hex(bytes);
      // What came meanwhile is newer.
      const isKnown = [this.values, this.#touched, this.#reading, this.#gone].some((known) => known.has(key));
      if (length === UNKNOWN) {
        if (!isKnown) missing.push(bytes);
        continue;
      }
      if (!isKnown) this.values.set(key, { bytes, value: decodeValue(packed.subarray(at, at + length)) });
      at += length;
    }
    await Promise.all(missing.map((bytes) => this.#read(bytes)));
    this.isLoaded = true;
    this.#gone.clear();
    for (const follower of this.#followers) follower.fill(this.values);
    this.#flush();
  }

  /** Reads the value of a document that is not open, again where it has changed meanwhile. */
  async #read(bytes: Uint8Array): Promise<void> {
    const key = hex(bytes);
    const reading = { isStale: true };
    this.#reading.set(key, reading);
    const { engine } = this.#context;
    let value;
    while (reading.isStale) {
      reading.isStale = false;
      try {
        value = await engine.wait((engine) => engine.peek(bytes));
      } catch {
        // It can't be read, or the space is closed.
      }
      if (this.#reading.get(key) !== reading) return;
    }
    this.#reading.delete(key);
    this.#set(key, value && { bytes, value: decodeValue(value) });
    if (this.isLoaded) this.#flush();
  }

  #set(key: string, doc: HeldValue | undefined): void {
    if (doc === undefined) this.values.delete(key);
    else if (this.values.get(key)?.value === doc.value) return;
    else this.values.set(key, doc);
    if (this.isLoaded) for (const follower of this.#followers) follower.set(key, doc);
  }

  #flush(): void {
    this.refresh();
    this.#context.outbox.flush();
  }
}
