/** The open documents of a space: opens them, gives each event of the engine to its document, and closes them. */
import { hex } from "../base/id.js";
import type { Limit } from "../base/wait.js";
import type { EngineEvent } from "../engine/instance.js";
import { decodeValue } from "../value/codec.js";
import type { ValueMap } from "../value/value.js";
import type { Saves } from "./commit.js";
import type { SpaceContext } from "./context.js";
import { OpenDoc, SharedDoc } from "./doc.js";
import type { Commit, Doc } from "./types.js";

/** An event of the engine about one document. */
type DocEvent = Extract<EngineEvent, { doc: Uint8Array }>;

export class DocTable {
  readonly #context: SpaceContext;
  readonly #saves: Saves;
  /** By id in hexadecimal, like the other tables here. */
  readonly #docs = new Map<string, SharedDoc>();
  /** What to call when a document arrives that this replica did not hold. */
  readonly #arrivals = new Map<string, Set<() => void>>();
  /** Number of documents that are being opened. */
  #loads = 0;
  /** Documents that changed while any were being opened: a value read before may be out of date. */
  readonly #missed = new Set<string>();
  /** Documents whose last handle is closed but that are open in the engine, with the number of our last commit then. */
  readonly #released = new Map<string, { bytes: Uint8Array; seq: number }>();

  constructor(context: SpaceContext, saves: Saves) {
    this.#context = context;
    this.#saves = saves;
  }

  /** A handle of a document that is new. */
  create<T extends object>(bytes: Uint8Array, value: ValueMap, made: (doc: SharedDoc) => Commit): Doc<T> {
    const doc = this.#add(bytes, value);
    return new OpenDoc<T>(doc, made(doc));
  }

  /** All that are open. */
  get open(): Iterable<SharedDoc> {
    return this.#docs.values();
  }

  /** A document, if it is open. */
  shared(bytes: Uint8Array): SharedDoc | undefined {
    return this.#docs.get(hex(bytes));
  }

  named<T extends object>(name: string, initial: Uint8Array): Promise<Doc<T>> {
    return this.#loading(async () => {
      const { doc, value } = await this.#context.engine.wait((engine) => engine.named(name, initial));
      return new OpenDoc<T>(this.#loaded(doc, value));
    });
  }

  /** A handle of a document, or undefined if storage does not hold it. */
  async load<T extends object>(bytes: Uint8Array, limit: Limit): Promise<Doc<T> | undefined> {
    const { engine } = this.#context;
    this.#context.check();
    if (engine.dead !== undefined) throw engine.dead;
    const known = this.#docs.get(hex(bytes));
    if (known !== undefined && !known.deleted) return new OpenDoc<T>(known);
    const opening = this.#loading(async () => {
      const value = await engine.wait((engine) => engine.openDoc(bytes));
      return value && new OpenDoc<T>(this.#loaded(bytes, value));
    });
    return limit.raceOpening(opening);
  }

  /** Calls `arrived` when the document arrives. Returns how to stop that. */
  onArrival(bytes: Uint8Array, arrived: () => void): () => void {
    const key = hex(bytes);
    const waiting = this.#arrivals.get(key) ?? new Set();
    this.#arrivals.set(key, waiting.add(arrived));
    return () => {
      waiting.delete(arrived);
      if (waiting.size === 0) this.#arrivals.delete(key);
    };
  }

  handle(event: DocEvent): void {
    const key = hex(event.doc);
    const doc = this.#docs.get(key);
    switch (event.type) {
      case "patches":
        if (doc !== undefined) doc.patch(event.patches, "remote");
        else if (this.#loads > 0) this.#missed.add(key);
        break;
      case "reset":
        doc?.reset(decodeValue(event.value));
        break;
      case "held":
        for (const arrived of this.#arrivals.get(key) ?? []) arrived();
        break;
      case "deleted":
        doc?.markDeleted("remote");
        break;
    }
  }

  /** The application has deleted a document. */
  delete(bytes: Uint8Array): void {
    this.#docs.get(hex(bytes))?.markDeleted("local");
  }

  /** Reads the values again that a patch did not fit. */
  refresh(): void {
    for (const doc of this.#docs.values()) {
      if (doc.stale && !doc.deleted && !this.#context.isClosed) doc.reset(decodeValue(this.#read(doc.bytes)));
    }
  }

  /**
   * Closes released documents in the engine. This waits while documents are being opened, as one of them may be the
   * same. It also waits until our commits are saved, as the document would next be opened from storage.
   */
  closeReleased(): void {
    const { isClosed, engine, transaction } = this.#context;
    if (this.#loads > 0 || isClosed || engine.dead !== undefined || transaction !== undefined) return;
    for (const [key, { bytes, seq }] of this.#released) {
      if (!this.#saves.has(seq)) continue;
      this.#released.delete(key);
      if (this.#docs.has(key)) continue;
      this.#context.run((engine) => engine.closeDoc(bytes));
      this.#context.closed(bytes);
    }
  }

  async #loading<R>(work: () => Promise<R>): Promise<R> {
    this.#loads += 1;
    try {
      return await work();
    } finally {
      this.#loads -= 1;
      if (this.#loads === 0) this.#missed.clear();
      this.closeReleased();
    }
  }

  #loaded(bytes: Uint8Array, value: Uint8Array): SharedDoc {
    this.#context.check();
    const key = hex(bytes);
    const known = this.#docs.get(key);
    if (known !== undefined) return known;
    return this.#add(bytes, decodeValue(this.#missed.delete(key) ? this.#read(bytes) : value));
  }

  #add(bytes: Uint8Array, value: ValueMap): SharedDoc {
    const doc = new SharedDoc(this.#context, bytes, value, () => this.#release(doc));
    this.#docs.set(doc.key, doc);
    this.#context.changedElsewhere(doc);
    return doc;
  }

  #release(shared: SharedDoc): void {
    const { key, bytes } = shared;
    this.#docs.delete(key);
    this.#context.changedElsewhere(shared);
    this.#released.set(key, { bytes, seq: this.#saves.last });
    if (this.#loads > 0) this.#missed.add(key);
    this.closeReleased();
  }

  /** Not by `run`, which would handle events while a document is between two values. */
  #read(bytes: Uint8Array): Uint8Array {
    return this.#context.engine.call((engine) => engine.value(bytes));
  }
}
