/**
 * Documents as the application holds them. All handles of one document share its state here; the core
 * has the document itself.
 */
import { decodePatches, encodeOps } from "./codec.js";
import type { Engine, Made } from "./engine.js";
import { EyotError, invalid } from "./error.js";
import { formatId, hex, urlOf } from "./id.js";
import { DELETE, patchesOf, PUT, type Op } from "./op.js";
import { applyPatches } from "./patch.js";
import { record } from "./record.js";
import type { ChangeEvent, Commit, Doc, DocId, DocUrl, Json, Patch, Unsubscribe } from "./types.js";
import type { ValueMap } from "./value.js";
import { NO_COMMIT } from "./commit.js";

/** What documents need of their space. */
export interface Home {
  /** Calls the engine; what it tells meanwhile is heard after `then` has run. */
  run<R>(fn: (engine: Engine) => R, then?: (result: R) => void): R;
  commit(made: Made): Commit;
  /** Throws if the space is closed. */
  check(): void;
  /** The last handle has gone. */
  release(doc: SharedDoc): void;
  post(notice: () => void): void;
}

interface Subscription {
  readonly listener: (value: ValueMap, event: ChangeEvent) => void;
  active: boolean;
}

/** One open document, whatever the number of its handles. */
export class SharedDoc {
  readonly key: string;
  readonly id: DocId;
  readonly subscriptions = new Set<Subscription>();
  handles = 0;
  deleted = false;
  /** The value missed a change: it is to be read anew once all that is known has been heard. */
  stale = false;
  #heads: readonly string[] = [];
  #drafting = false;

  constructor(
    readonly home: Home,
    readonly bytes: Uint8Array,
    public value: ValueMap,
  ) {
    this.key = hex(bytes);
    this.id = formatId(bytes);
  }

  /** Asked for each time: a change that leaves the value as it was is told to nobody. */
  get heads(): readonly string[] {
    const heads = this.home.run((engine) => engine.heads(this.bytes));
    const same = heads.length === this.#heads.length && heads.every((head, index) => head === this.#heads[index]);
    return same ? this.#heads : (this.#heads = Object.freeze(heads));
  }

  change(fn: (draft: ValueMap) => void, message: string | undefined): Commit {
    this.#checkUsable();
    const before = this.value;
    this.#drafting = true;
    let edit;
    try {
      edit = record(before, fn);
    } finally {
      this.#drafting = false;
    }
    if (edit.ops.length === 0) return NO_COMMIT;
    if (this.value !== before) throw invalid("the document changed while its draft was open");
    const { value, ops, before: texts } = edit;
    const made = this.home.run(
      (engine) => engine.change(this.bytes, encodeOps(ops), message),
      () => this.#set(value, "local", () => patchesOf(ops, texts)),
    );
    return this.home.commit(made);
  }

  merge(file: Uint8Array): Commit {
    this.#checkUsable();
    const made = this.home.run(
      (engine) => engine.merge(this.bytes, file),
      ({ patches }) => patches !== undefined && this.patch(patches, "local"),
    );
    return this.home.commit(made);
  }

  patch(bytes: Uint8Array, origin: ChangeEvent["origin"]): void {
    const patches = decodePatches(bytes);
    if (patches.length === 0 || this.stale) return;
    try {
      this.#set(applyPatches(this.value, patches), origin, () => patches);
    } catch {
      this.stale = true;
    }
  }

  /** Takes a whole value in place of the one it had. */
  reset(value: ValueMap): void {
    this.stale = false;
    const gone = Object.keys(this.value).map((key): Op => [DELETE, [key], 1]);
    const come = Object.keys(value).map((key): Op => [PUT, [key], value[key]]);
    this.#set(value, "remote", () => patchesOf([...gone, ...come], new Map()));
  }

  #checkUsable(): void {
    if (this.deleted) throw new EyotError("not-found", `document ${this.id} was deleted`);
    if (this.#drafting) throw invalid("this document is being changed already");
  }

  #set(value: ValueMap, origin: ChangeEvent["origin"], patches: () => readonly Patch[]): void {
    this.value = value;
    if (this.subscriptions.size === 0) return;
    const event = Object.freeze({ origin, patches: patches() });
    for (const subscription of this.subscriptions) {
      this.home.post(() => {
        if (subscription.active) subscription.listener(value, event);
      });
    }
  }
}

/** One handle, the `Doc` of the public API. */
export class OpenDoc<T extends Json> implements Doc<T> {
  #shared: SharedDoc | undefined;
  readonly id: DocId;
  readonly url: DocUrl;
  readonly #subscriptions = new Set<Subscription>();

  constructor(shared: SharedDoc) {
    shared.handles += 1;
    this.#shared = shared;
    this.id = shared.id;
    this.url = urlOf(shared.id);
  }

  get value(): Readonly<T> {
    return this.#open.value as Readonly<T>;
  }

  get heads(): readonly string[] {
    return this.#open.heads;
  }

  change(fn: (draft: T) => void, options?: { message?: string }): Commit {
    return this.#open.change(fn as (draft: ValueMap) => void, options?.message);
  }

  subscribe(listener: (value: Readonly<T>, event: ChangeEvent) => void): Unsubscribe {
    const shared = this.#open;
    const subscription: Subscription = { listener: listener as Subscription["listener"], active: true };
    shared.subscriptions.add(subscription);
    this.#subscriptions.add(subscription);
    return () => {
      subscription.active = false;
      shared.subscriptions.delete(subscription);
      this.#subscriptions.delete(subscription);
    };
  }

  export(): Uint8Array {
    const shared = this.#open;
    return shared.home.run((engine) => engine.exportFile(shared.bytes));
  }

  merge(file: Uint8Array): Commit {
    return this.#open.merge(file);
  }

  close(): void {
    const shared = this.#shared;
    if (shared === undefined) return;
    this.#shared = undefined;
    for (const subscription of this.#subscriptions) {
      subscription.active = false;
      shared.subscriptions.delete(subscription);
    }
    shared.handles -= 1;
    if (shared.handles === 0) shared.home.release(shared);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #open(): SharedDoc {
    if (this.#shared === undefined) throw new EyotError("closed", `this handle of document ${this.id} is closed`);
    this.#shared.home.check();
    return this.#shared;
  }
}
