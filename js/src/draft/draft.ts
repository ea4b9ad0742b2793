/**
 * Drafts: what `change` gives to the application to edit. A draft reads its own writes and records each edit. It never
 * changes the document's value: the first edit of a container copies that container and those above it, and the new
 * value shares everything else with the old one.
 */
import { invalid } from "../base/error.js";
import type { MarkValue } from "../value/patch.js";
import { DELETE, INCREMENT, INSERT, MARK, PUT, RETEXT, SPLICE, type Op, type OpPath } from "../value/op.js";
import { align, applyEdit, difference, wellFormed } from "../value/text.js";
import { snapshot } from "../value/snapshot.js";
import {
  Counter,
  isMap,
  orderKeys,
  setKey,
  spliceList,
  wholeNumber,
  type Container,
  type ValueMap,
} from "../value/value.js";

/** Collects the edits of one `change`. */
export class Recorder {
  /** False once `change` is over. */
  open = true;
  readonly ops: Op[] = [];
  /** The text that each `RETEXT` replaced. */
  readonly before = new Map<Op, string>();
  /** The last edit if it was an insertion: one inside it or beside it is added to it. */
  #grows: { list: Draft; start: number; values: unknown[] } | undefined;
  /** The last edit if it was a deletion: one beside it is added to it. */
  #shrinks: { list: Draft; op: [typeof DELETE, OpPath, number] } | undefined;

  constructor(readonly adopt: (owner: Draft, key: string | number, value: object) => Child | undefined) {}

  add(op: Op): void {
    this.#grows = this.#shrinks = undefined;
    this.ops.push(op);
  }

  insert(list: Draft, path: OpPath, index: number, values: unknown[]): void {
    const grows = this.#grows;
    if (grows?.list === list && index >= grows.start && index <= grows.start + grows.values.length) {
      spliceList(grows.values, index - grows.start, 0, values);
      return;
    }
    this.add([INSERT, [...path, index], values]);
    this.#grows = { list, start: index, values };
  }

  remove(list: Draft, path: OpPath, index: number, count: number): void {
    if (this.#shrinks?.list === list) {
      const { op } = this.#shrinks;
      const first = op[1][path.length] as number;
      if (index === first || index + count === first) {
        op[1][path.length] = index;
        op[2] += count;
        return;
      }
    }
    const op: [typeof DELETE, OpPath, number] = [DELETE, [...path, index], count];
    this.add(op);
    this.#shrinks = { list, op };
  }

  check(): void {
    if (!this.open) throw invalid("this draft's change() is over");
  }
}

export type Child = Draft | DraftCounter | Loan;

/** Bytes or a date of a document inside `change`: a copy, which the application may edit in place. */
export class Loan {
  constructor(
    public key: string | number,
    readonly facade: Uint8Array | Date,
  ) {}

  /** Whether the copy still says what the document holds. */
  isLike(value: unknown): boolean {
    const { facade } = this;
    if (facade instanceof Date) return value instanceof Date && value.getTime() === facade.getTime();
    if (!(value instanceof Uint8Array)) return false;
    // Bytes that were transferred to another thread are empty here, which is no edit.
    if (facade.length === 0) return true;
    return facade.every((byte, index) => byte === value[index]);
  }
}

/** A container inside a draft, and the handler of the proxy that stands for it. */
export abstract class Draft implements ProxyHandler<object> {
  abstract readonly facade: object;
  protected copy: Container | undefined;
  protected children = new Map<string | number, Child>();
  /** False once this part was deleted or replaced. It can still be read, but not edited. */
  attached = true;
  /** Whether a method is moving items: texts among them are put in their new places, not edited into each other. */
  protected movesItems = false;

  constructor(
    readonly recorder: Recorder,
    readonly parent: Draft | undefined,
    public key: string | number,
    protected readonly base: Container,
  ) {}

  protected abstract clone(): Container;
  /** The key as this container stores it, or undefined if there is none. */
  protected abstract locate(key: string | number): string | number | undefined;

  abstract set(target: object, key: string | symbol, value: unknown): boolean;

  defineProperty(target: object, key: string | symbol, property: PropertyDescriptor): boolean {
    if (!("value" in property)) throw invalid("a document cannot hold getters and setters");
    return this.set(target, key, property.value);
  }

  preventExtensions(): boolean {
    throw invalid("a draft cannot be frozen");
  }

  protected register(target: object): object {
    const facade = new Proxy(target, this);
    drafts.set(facade, this);
    return facade;
  }

  get now(): Container {
    this.recorder.check();
    return this.copy ?? this.base;
  }

  get edited(): boolean {
    return this.copy !== undefined;
  }

  /** The copy to write to. */
  edit(): Container {
    this.recorder.check();
    if (this.copy === undefined) {
      this.copy = this.clone();
      this.parent?.edit();
    }
    return this.copy;
  }

  path(): OpPath {
    this.recorder.check();
    const path: OpPath = [];
    let draft: Draft = this;
    for (;;) {
      if (!draft.attached) throw invalid("this part of the draft was deleted or replaced");
      if (draft.parent === undefined) return path.reverse();
      path.push(draft.key);
      draft = draft.parent;
    }
  }

  /** The value at `key` as the application sees it: a draft for a container or a counter. */
  protected read(key: string | number): unknown {
    const value = at(this.now, key);
    if (typeof value !== "object" || value === null) return value;
    const known = this.children.get(key);
    if (known !== undefined) return known.facade;
    const child = this.recorder.adopt(this, key, value);
    if (child === undefined) return value;
    this.children.set(key, child);
    return child.facade;
  }

  /** The draft of the container at `key`. */
  inside(key: string | number): Draft {
    const place = this.locate(key);
    const child = place === undefined ? undefined : draftOf(this.read(place));
    if (child === undefined) throw invalid(`there is no map or list at ${String(key)}`);
    return child;
  }

  /** Sets a key. `exists`: it has a value already. */
  protected assign(key: string | number, exists: boolean, value: unknown): void {
    const old = exists ? at(this.now, key) : undefined;
    if (exists && this.#holds(key, old, value)) return;
    if (typeof old === "string" && typeof value === "string" && !this.movesItems) {
      return this.#retext(key, old, wellFormed(value));
    }
    this.#put(key, value);
    this.forget(key);
  }

  #put(key: string | number, value: unknown): void {
    const path = this.path();
    // All containers of the path stand above the value, the root included.
    const taken = snapshot(value, path.length + 1);
    this.write(key, taken);
    this.recorder.add([PUT, [...path, key], taken]);
  }

  #holds(key: string | number, old: unknown, value: unknown): boolean {
    const child = this.children.get(key);
    if (child !== undefined && child.facade === value) return true;
    if (!Object.is(old, value)) return false;
    if (child instanceof Loan) return child.isLike(old);
    if (!(child instanceof Draft)) return true;
    child.settle();
    return !child.edited;
  }

  /** Makes edits of what the application did in place to the bytes and dates in here. */
  settle(): void {
    for (const [key, child] of this.children) {
      if (child instanceof Draft) child.settle();
      else if (child instanceof Loan && !child.isLike(at(this.now, key))) this.#put(key, child.facade);
    }
  }

  #retext(key: string | number, before: string, after: string): void {
    if (before === after) return;
    const path = [...this.path(), key];
    const edit = difference(before, after);
    this.write(key, after);
    // A pure insertion or deletion is minimal already. For a replacement the core computes a finer difference.
    if (edit.remove === 0 || edit.insert === "") {
      this.recorder.add([SPLICE, path, edit.start, edit.remove, edit.insert]);
    } else {
      const op: Op = [RETEXT, path, after];
      this.recorder.add(op);
      this.recorder.before.set(op, before);
    }
  }

  spliceText(key: string | number, index: number, remove: number, insert: string): void {
    const [place, text] = this.#text(key);
    checkPosition(text, index);
    if (!Number.isInteger(remove) || remove < 0) throw invalid("splice() removes a whole number of code units");
    const edit = align(text, index, Math.min(remove, text.length - index), insert);
    if (edit.remove === 0 && edit.insert === "") return;
    const op: Op = [SPLICE, [...this.path(), place], edit.start, edit.remove, edit.insert];
    this.write(place, applyEdit(text, edit));
    this.recorder.add(op);
  }

  markText(key: string | number, start: number, end: number, expand: number, name: string, value: MarkValue): void {
    const [place, text] = this.#text(key);
    checkPosition(text, start);
    checkPosition(text, end);
    // A mark of nothing marks nothing.
    if (start >= end) return;
    const edit = align(text, start, end - start, "");
    const op: Op = [MARK, [...this.path(), place], edit.start, edit.start + edit.remove, expand, name, value];
    this.recorder.add(op);
  }

  #text(key: string | number): [string | number, string] {
    const place = this.locate(key);
    const text = place === undefined ? undefined : at(this.now, place);
    if (place === undefined || typeof text !== "string") throw invalid(`there is no text at ${String(key)}`);
    return [place, text];
  }

  addUp(counter: DraftCounter, sum: number, by: number): void {
    if (this.children.get(counter.key) !== counter) throw invalid("this counter was deleted or replaced");
    const op: Op = [INCREMENT, [...this.path(), counter.key], by];
    this.write(counter.key, Object.freeze(new Counter(sum)));
    this.recorder.add(op);
  }

  protected write(key: string | number, value: unknown): void {
    setKey(this.edit() as ValueMap, key as string, value);
  }

  /** Detaches the draft of what was at `key`. */
  protected forget(key: string | number): void {
    const child = this.children.get(key);
    if (child instanceof Draft) child.attached = false;
    this.children.delete(key);
  }

  /** The new value; the old one itself if nothing was edited. */
  finish(): Container {
    if (this.copy === undefined) return this.base;
    for (const [key, child] of this.children) {
      if (child instanceof Draft && child.edited) setKey(this.copy as ValueMap, key as string, child.finish());
    }
    if (isMap(this.copy)) orderKeys(this.copy);
    return Object.freeze(this.copy) as Container;
  }
}

/** A counter of a document inside `change`: `increment` records an edit. */
export class DraftCounter extends Counter {
  readonly #owner: Draft;
  #key: string | number;

  constructor(owner: Draft, key: string | number, value: number) {
    super(value);
    this.#owner = owner;
    this.#key = key;
  }

  get facade(): object {
    return this;
  }

  get key(): string | number {
    return this.#key;
  }

  set key(key: string | number) {
    this.#key = key;
  }

  override increment(by = 1): void {
    const step = wholeNumber(by, "the step");
    const sum = wholeNumber(this.value + step, "a counter");
    this.#owner.addUp(this, sum, step);
    (this as { value: number }).value = sum;
  }
}

/** The draft behind each proxy that the application holds. */
const drafts = new WeakMap<object, Draft>();

export function draftOf(facade: unknown): Draft | undefined {
  return typeof facade === "object" && facade !== null ? drafts.get(facade) : undefined;
}

function checkPosition(text: string, index: number): void {
  if (!Number.isInteger(index) || index < 0 || index > text.length) {
    throw invalid(`a text of ${text.length} has no position ${index}`);
  }
}

function at(container: Container, key: string | number): unknown {
  return (container as ValueMap)[key];
}
