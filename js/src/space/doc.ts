/**
 * Open documents. `SharedDoc` is one open document: its value, which all its handles share. `OpenDoc` is one handle, the
 * `Doc` of the public API. The document itself is in the core.
 */
import { bindMethods } from "../base/bind.js";
import { checkFunction, checkText, kindOf, optionsOf } from "../base/check.js";
import { EyotError, invalid } from "../base/error.js";
import { formatId, hex, urlOf, type DocId, type DocUrl } from "../base/id.js";
import { record } from "../draft/record.js";
import type { Engine } from "../engine/instance.js";
import { applyPatches } from "../value/apply.js";
import { decodeAny, decodePatches, decodeValue, encode } from "../value/codec.js";
import { DELETE, patchesOf, PUT, type Op } from "../value/op.js";
import { pathOf, type Patch, type Path } from "../value/patch.js";
import { isBytes, type Draft, type Json, type Value, type ValueMap } from "../value/value.js";
import { NO_COMMIT } from "./commit.js";
import type { EditedDoc, HereChange, SpaceContext } from "./context.js";
import type { ChangeEvent, ChangeInfo, Commit, Cursor, Doc, Span, Unsubscribe } from "./types.js";

interface Subscription {
  readonly listener: (value: ValueMap, event: ChangeEvent) => void;
  active: boolean;
}

/** One open document, shared by all its handles. */
export class SharedDoc implements EditedDoc {
  readonly key: string;
  readonly id: DocId;
  readonly subscriptions = new Set<Subscription>();
  handles = 0;
  deleted = false;
  /** A patch did not fit the value. The value is read again once all events of the engine are handled. */
  stale = false;
  #heads: readonly string[] = [];
  #drafting = false;

  constructor(
    readonly context: SpaceContext,
    readonly bytes: Uint8Array,
    public value: ValueMap,
    /** Called when the last handle is closed. */
    readonly release: () => void,
  ) {
    this.key = hex(bytes);
    this.id = formatId(bytes);
  }

  /** The document was deleted, here or elsewhere. Subscribers are told, and `value` stays what it was. */
  markDeleted(origin: ChangeEvent["origin"]): void {
    if (this.deleted) return;
    this.deleted = true;
    this.context.changedElsewhere(this);
    this.#tell({ origin, patches: [], deleted: true });
  }

  /** The value is that of a change that is committed. */
  edited(change: HereChange): void {
    const { ops, texts } = change;
    this.context.changedHere(this, change);
    if (this.subscriptions.size > 0) this.#tell({ origin: "local", patches: patchesOf(ops, texts) });
  }

  /** What was done before, for undo. */
  steps(most: number): Uint8Array {
    return this.context.engine.call((engine) => engine.steps(this.bytes, most));
  }

  /** What undoes the change that was just made. */
  inverse(): Uint8Array {
    return this.context.engine.call((engine) => engine.inverse(this.bytes));
  }

  /** A transaction has deleted the document, and is committed. */
  removed(): void {
    this.context.changedElsewhere(this);
    this.#tell({ origin: "local", patches: [], deleted: true });
  }

  /** Read from the engine each time, because some changes alter the heads but not the value, and cause no event. */
  get heads(): readonly string[] {
    this.#checkHeld();
    const heads = this.context.run((engine) => engine.heads(this.bytes));
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
    this.#checkHeld();
    if (this.handles === 0) throw new EyotError("closed", `document ${this.id} was closed while its draft was open`);
    if (this.value !== before) throw invalid("the document changed while its draft was open");
    const { transaction } = this.context;
    if (transaction !== undefined) return transaction.change(this, edit, message);
    const { value, ops, before: texts } = edit;
    const made = this.context.run(
      (engine) => engine.change(this.bytes, encode(ops), message),
      () => {
        this.value = value;
        this.edited({ before, ops, texts });
      },
    );
    return this.context.commit(made);
  }

  merge(file: Uint8Array): Commit {
    this.#checkUsable();
    const made = this.context.run(
      (engine) => engine.merge(this.bytes, file),
      ({ patches }) => patches !== undefined && this.patch(patches, "local"),
    );
    return this.context.commit(made);
  }

  /** Reads something of the document from the engine. */
  read<R>(fn: (engine: Engine, bytes: Uint8Array) => R): R {
    this.#checkHeld();
    return this.context.run((engine) => fn(engine, this.bytes));
  }

  patch(bytes: Uint8Array, origin: ChangeEvent["origin"]): void {
    const patches = decodePatches(bytes);
    if (patches.length === 0 || this.stale) return;
    try {
      this.#set(applyPatches(this.value, patches), origin, () => patches);
      this.context.changedElsewhere(this, patches);
    } catch {
      this.stale = true;
    }
  }

  /** Replaces the whole value. */
  reset(value: ValueMap): void {
    this.stale = false;
    this.context.changedElsewhere(this);
    const gone = Object.keys(this.value).map((key): Op => [DELETE, [key], 1]);
    const come = Object.keys(value).map((key): Op => [PUT, [key], value[key]]);
    this.#set(value, "remote", () => patchesOf([...gone, ...come], new Map()));
  }

  #checkHeld(): void {
    if (this.deleted) throw new EyotError("not-found", `document ${this.id} was deleted`);
  }

  #checkUsable(): void {
    this.#checkHeld();
    if (this.#drafting) throw invalid("this document is being changed already");
  }

  #set(value: ValueMap, origin: ChangeEvent["origin"], patches: () => readonly Patch[]): void {
    this.value = value;
    if (this.subscriptions.size > 0) this.#tell({ origin, patches: patches() });
  }

  #tell(event: ChangeEvent): void {
    const { value } = this;
    Object.freeze(event);
    for (const subscription of this.subscriptions) {
      this.context.outbox.post(() => (subscription.active ? subscription.listener(value, event) : undefined));
    }
  }
}

/** One handle, the `Doc` of the public API. */
export class OpenDoc<T extends object> implements Doc<T> {
  #shared: SharedDoc | undefined;
  /** What `value` is after `close`. */
  #last: ValueMap | undefined;
  #wasDeleted = false;
  readonly #created: Commit | undefined;
  readonly id: DocId;
  readonly url: DocUrl;
  readonly #subscriptions = new Set<Subscription>();

  constructor(shared: SharedDoc, created?: Commit) {
    this.#created = created;
    shared.handles += 1;
    this.#shared = shared;
    this.id = shared.id;
    this.url = urlOf(shared.id);
    bindMethods(this);
  }

  /** Readable after `close`, too: a view may be drawn once more before it hears of that. */
  get value(): Value<T> {
    return (this.#shared?.value ?? this.#last) as Value<T>;
  }

  get created(): Commit | undefined {
    return this.#created;
  }

  get deleted(): boolean {
    return this.#shared?.deleted ?? this.#wasDeleted;
  }

  get heads(): readonly string[] {
    return this.#open.heads;
  }

  change(fn: (draft: Draft<T>) => void, options?: { message?: string | undefined }): Commit {
    const { message } = optionsOf<{ message?: string }>("change()", options, ["message"]);
    if (message !== undefined) checkText("the message of a change", message);
    return this.#open.change(fn as (draft: ValueMap) => void, message);
  }

  subscribe(listener: (value: Value<T>, event: ChangeEvent) => void): Unsubscribe {
    checkFunction("a listener of a document", listener);
    const shared = this.#open;
    const subscription: Subscription = { listener: listener as Subscription["listener"], active: true };
    shared.subscriptions.add(subscription);
    this.#subscriptions.add(subscription);
    return () => this.#unsubscribe(shared, subscription);
  }

  conflicts(path: Path): Readonly<Record<string, Json>> | undefined {
    const keys = encode(pathOf("conflicts()", path));
    const found = this.#open.read((engine, doc) => engine.conflicts(doc, keys));
    return found && (decodeValue(found) as Record<string, Json>);
  }

  history(): readonly ChangeInfo[] {
    return decodeAny(this.#open.read((engine, doc) => engine.history(doc))) as readonly ChangeInfo[];
  }

  at(heads: readonly string[]): Value<T> {
    if (!Array.isArray(heads) || !heads.every((head) => typeof head === "string")) {
      throw invalid("at() takes heads of a document: a list of strings");
    }
    return decodeValue(this.#open.read((engine, doc) => engine.valueAt(doc, [...heads]))) as Value<T>;
  }

  spans(path: Path): readonly Span[] {
    const keys = encode(pathOf("spans()", path));
    return decodeAny(this.#open.read((engine, doc) => engine.spans(doc, keys))) as readonly Span[];
  }

  cursor(path: Path, index: number): Cursor {
    const keys = encode(pathOf("cursor()", path));
    if (!Number.isInteger(index) || index < 0 || index >= 2 ** 32) throw invalid("a cursor is at an index, from 0");
    return this.#open.read((engine, doc) => engine.cursor(doc, keys, index));
  }

  position(cursor: Cursor): number {
    checkText("a cursor", cursor);
    return this.#open.read((engine, doc) => engine.position(doc, cursor));
  }

  undo(): Commit | undefined {
    const doc = this.#open;
    return doc.context.undoing.undo(doc);
  }

  redo(): Commit | undefined {
    const doc = this.#open;
    return doc.context.undoing.redo(doc);
  }

  export(): Uint8Array {
    return this.#open.read((engine, doc) => engine.exportFile(doc));
  }

  merge(file: Uint8Array | ArrayBufferLike | ArrayBufferView): Commit {
    const bytes = bytesOf(file);
    if (bytes === undefined) throw invalid(`merge() takes the bytes of a file, not ${kindOf(file)}`);
    if (bytes.length === 0) throw invalid("merge() takes the bytes of a file, and these are none");
    return this.#open.merge(bytes);
  }

  close(): void {
    const shared = this.#shared;
    if (shared === undefined) return;
    this.#last = shared.value;
    this.#wasDeleted = shared.deleted;
    this.#shared = undefined;
    for (const subscription of this.#subscriptions) this.#unsubscribe(shared, subscription);
    shared.handles -= 1;
    if (shared.handles === 0) shared.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #unsubscribe(shared: SharedDoc, subscription: Subscription): void {
    subscription.active = false;
    shared.subscriptions.delete(subscription);
    this.#subscriptions.delete(subscription);
  }

  get #open(): SharedDoc {
    if (this.#shared === undefined) throw new EyotError("closed", `this handle of document ${this.id} is closed`);
    this.#shared.context.check();
    return this.#shared;
  }
}

/** The bytes of a file in any of the forms that platforms give them in. */
function bytesOf(file: unknown): Uint8Array | undefined {
  if (isBytes(file)) return file;
  if (ArrayBuffer.isView(file)) return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const kind = Object.prototype.toString.call(file);
  if (kind !== "[object ArrayBuffer]" && kind !== "[object SharedArrayBuffer]") return undefined;
  return new Uint8Array(file as ArrayBufferLike);
}
