/**
 * The values that a document can hold: the types, the two classes that JSON has no equivalent for, and how to tell
 * and write the containers.
 */
import { invalid } from "../base/error.js";
import { wellFormed } from "./text.js";

/** Any value of a document, as the application types it. */
export type Json =
  | null
  | boolean
  | number
  | string
  | Date
  | Uint8Array
  | Counter
  | AtomicString
  | readonly Json[]
  | { readonly [key: string]: Json }
  // An interface has no index signature, so without this a document typed by one would not be assignable.
  | any;

export type Container = ValueMap | ValueList;
export type ValueMap = { [key: string]: unknown };
export type ValueList = unknown[];

/** A number. Increments that replicas make at the same time add up. */
export class Counter {
  // The minifier shortens class names; this one is shown when a value is printed.
  static readonly name = "Counter";

  readonly value: number;

  constructor(value = 0) {
    this.value = wholeNumber(value, "a counter");
  }

  /** Inside `change` this edits the document. On a counter that is in no document it only adds. */
  increment(by = 1): void {
    if (Object.isFrozen(this)) throw invalid("a document's counter is incremented inside change()");
    (this as { value: number }).value = wholeNumber(this.value + wholeNumber(by, "the step"), "a counter");
  }

  valueOf(): number {
    return this.value;
  }

  toString(): string {
    return String(this.value);
  }

  toJSON(): number {
    return this.value;
  }
}

/** A string that is replaced whole, never merged character by character. */
export class AtomicString {
  // As for `Counter`.
  static readonly name = "AtomicString";

  readonly value: string;

  constructor(value: string) {
    this.value = wellFormed(String(value));
  }

  valueOf(): string {
    return this.value;
  }

  toString(): string {
    return this.value;
  }

  toJSON(): string {
    return this.value;
  }
}

/** Whether a document's value is a map. Of other values this says nothing: a class instance would count as one. */
export function isMap(value: unknown): value is ValueMap {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Counter) &&
    !(value instanceof AtomicString) &&
    !(value instanceof Date) &&
    !(value instanceof Uint8Array)
  );
}

export function isContainer(value: unknown): value is Container {
  return Array.isArray(value) || isMap(value);
}

/** Sets a key of a map. A key may be any string, `__proto__` included, which plain assignment would not store. */
export function setKey(map: ValueMap, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(map, key, { value, configurable: true, enumerable: true, writable: true });
  } else {
    map[key] = value;
  }
}

/** `list.splice(index, remove, ...values)` for any number of values. A call takes only so many arguments. */
export function spliceList(list: ValueList, index: number, remove: number, values: readonly unknown[]): void {
  const tail = list.splice(index);
  for (const value of values) list.push(value);
  for (let at = remove; at < tail.length; at++) list.push(tail[at]);
}

export function wholeNumber(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw invalid(`${what} must be a whole number`);
  return value;
}
