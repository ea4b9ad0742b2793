/**
 * Lists inside a draft. Methods that insert or remove items are recorded as insertions and deletions. All other methods
 * of an array run unchanged, on the proxy.
 */
import { Draft, draftOf, Loan, type Child, type Recorder } from "./draft.js";
import { invalid } from "../base/error.js";
import { snapshot, thaw } from "../value/snapshot.js";
import { spliceList, type ValueList } from "../value/value.js";

export class ListDraft extends Draft {
  readonly facade: object;

  constructor(recorder: Recorder, parent: Draft, key: string | number, base: ValueList) {
    super(recorder, parent, key, base);
    this.facade = this.register([]);
  }

  get length(): number {
    return (this.now as ValueList).length;
  }

  protected clone(): ValueList {
    return (this.base as ValueList).slice();
  }

  protected locate(key: string | number): number | undefined {
    const index = typeof key === "number" ? key : indexOf(key);
    return index !== undefined && Number.isInteger(index) && index >= 0 && index < this.length ? index : undefined;
  }

  /** Removes `count` items at `start` and puts `values` in their place. */
  replace(start: number, count: number, values: readonly unknown[]): void {
    // Everything that can throw comes first, so that a throw leaves the list as it was.
    const path = this.path();
    const taken = values.map((value) => snapshot(value, path.length + 1));
    if (start + count > this.length) throw invalid("the list was made shorter while values were read for it");
    if (count === 0 && taken.length === 0) return;
    spliceList(this.edit() as ValueList, start, count, taken);
    this.#shift(start, count, taken.length - count);
    if (count > 0) this.recorder.remove(this, path, start, count);
    if (taken.length > 0) this.recorder.insert(this, path, start, taken);
  }

  /** Copies of the values at `start`, which the application may change. */
  copies(start: number, count: number): unknown[] {
    return Array.from({ length: count }, (_, offset) => this.#copy(start + offset));
  }

  /** Moves an item, as a copy that is inserted elsewhere: Automerge has no other way. */
  moveItem(from: number, to: number): void {
    const isPlace = (index: number) => Number.isInteger(index) && index >= 0 && index < this.length;
    if (!isPlace(from) || !isPlace(to)) throw invalid(`a list of ${this.length} can't move item ${from} to ${to}`);
    if (from === to) return;
    const items = this.copies(from, 1);
    this.replace(from, 1, []);
    this.replace(to, 0, items);
  }

  #copy(index: number): unknown {
    const child = this.children.get(index);
    if (child instanceof Draft) child.settle();
    const isEdited = child instanceof Loan || (child instanceof Draft && child.edited);
    return thaw(isEdited ? snapshot(child.facade) : (this.now as ValueList)[index]);
  }

  /** Runs a method of arrays that moves whole items. */
  move(method: (...args: never[]) => unknown, args: readonly unknown[]): unknown {
    this.movesItems = true;
    try {
      return Reflect.apply(method, this.facade, args);
    } finally {
      this.movesItems = false;
    }
  }

  /** Moves the drafts of items by `by` positions after `count` items at `start` were removed. */
  #shift(start: number, count: number, by: number): void {
    if (this.children.size === 0) return;
    const moved = new Map<string | number, Child>();
    for (const [key, child] of this.children) {
      const index = key as number;
      if (index < start) {
        moved.set(index, child);
      } else if (index < start + count) {
        if (child instanceof Draft) child.attached = false;
      } else {
        child.key = index + by;
        moved.set(child.key, child);
      }
    }
    this.children = moved;
  }

  get(_: object, key: string | symbol): unknown {
    if (typeof key === "symbol") return Reflect.get(Array.prototype, key) as unknown;
    if (key === "length") return this.length;
    const index = indexOf(key);
    if (index === undefined) return Reflect.get(METHODS, key) as unknown;
    return index < this.length ? this.read(index) : undefined;
  }

  has(_: object, key: string | symbol): boolean {
    const index = typeof key === "string" ? indexOf(key) : undefined;
    return index === undefined ? Reflect.has(Array.prototype, key) : index < this.length;
  }

  set(_: object, key: string | symbol, value: unknown): boolean {
    if (key === "length") return this.#truncate(value);
    const index = typeof key === "string" ? indexOf(key) : undefined;
    if (index === undefined) throw invalid("a list's parts are its items, by number");
    if (index > this.length) throw invalid(`a list of ${this.length} has no place ${index}: lists have no holes`);
    if (index === this.length) this.replace(index, 0, [value]);
    else this.assign(index, true, value);
    return true;
  }

  #truncate(length: unknown): boolean {
    if (typeof length !== "number" || !Number.isInteger(length) || length < 0 || length > this.length) {
      throw invalid("a list's length can only be made shorter");
    }
    this.replace(length, this.length - length, []);
    return true;
  }

  deleteProperty(_: object, key: string | symbol): boolean {
    if (typeof key === "symbol" || indexOf(key) === undefined) return true;
    throw invalid("a list has no holes: remove items with splice");
  }

  ownKeys(): string[] {
    return [...Array.from({ length: this.length }, (_, index) => String(index)), "length"];
  }

  getOwnPropertyDescriptor(_: object, key: string | symbol): PropertyDescriptor | undefined {
    if (key === "length") return { value: this.length, writable: true, enumerable: false, configurable: false };
    const index = typeof key === "string" ? indexOf(key) : undefined;
    if (index === undefined || index >= this.length) return undefined;
    return { value: this.read(index), writable: true, enumerable: true, configurable: true };
  }

  setPrototypeOf(): boolean {
    throw invalid("a document's lists have no prototype to set");
  }
}

function listOf(facade: unknown): ListDraft {
  const draft = draftOf(facade);
  if (!(draft instanceof ListDraft)) throw invalid("this is no list of a draft");
  return draft;
}

const METHODS: object = Object.assign(Object.create(Array.prototype) as object, {
  push(this: unknown, ...values: unknown[]): number {
    const list = listOf(this);
    list.replace(list.length, 0, values);
    return list.length;
  },
  pop(this: unknown): unknown {
    const list = listOf(this);
    return list.length === 0 ? undefined : take(list, list.length - 1, 1)[0];
  },
  unshift(this: unknown, ...values: unknown[]): number {
    const list = listOf(this);
    list.replace(0, 0, values);
    return list.length;
  },
  shift(this: unknown): unknown {
    const list = listOf(this);
    return list.length === 0 ? undefined : take(list, 0, 1)[0];
  },
  splice(this: unknown, ...given: [start?: number, count?: number, ...values: unknown[]]): unknown[] {
    const list = listOf(this);
    const [start = 0, count = 0, ...values] = given;
    const whole = Math.trunc(Number(start)) || 0;
    const from = whole < 0 ? Math.max(0, list.length + whole) : Math.min(whole, list.length);
    const rest = list.length - from;
    const remove = given.length === 1 ? rest : Math.min(Math.max(Math.trunc(Number(count)) || 0, 0), rest);
    return given.length === 0 ? [] : take(list, from, remove, values);
  },
  sort(this: unknown, ...args: unknown[]): unknown {
    return listOf(this).move(Array.prototype.sort, args);
  },
  reverse(this: unknown): unknown {
    return listOf(this).move(Array.prototype.reverse, []);
  },
  copyWithin(this: unknown, ...args: unknown[]): unknown {
    return listOf(this).move(Array.prototype.copyWithin, args);
  },
  fill(this: unknown, ...args: unknown[]): unknown {
    return listOf(this).move(Array.prototype.fill, args);
  },
});

/** Replaces items and returns copies of those that were there. */
function take(list: ListDraft, start: number, count: number, values: readonly unknown[] = []): unknown[] {
  const removed = list.copies(start, count);
  list.replace(start, count, values);
  return removed;
}

function indexOf(key: string): number | undefined {
  const index = Number(key);
  return Number.isInteger(index) && index >= 0 && String(index) === key ? index : undefined;
}
