/**
 * The values that a document can hold: the types, the two classes that JSON has no equivalent for, and how to tell
 * and write the containers.
 */
import { kindOf } from "../base/check.js";
import { invalid } from "../base/error.js";
import { wellFormed } from "./text.js";

/** Any value of a document. A key that is undefined is not there. */
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
  | { readonly [key: string]: Json | undefined };

/** What has no parts of its own. A string or number may have a brand, which makes it look like an object. */
type Whole = string | number | boolean | bigint | null | undefined | Date | Uint8Array | Counter | AtomicString;

/** Objects that no document can hold. */
type Foreign =
  | ((...args: never) => unknown)
  | symbol
  | RegExp
  | Promise<unknown>
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | ArrayBufferLike
  | Exclude<ArrayBufferView, Uint8Array>
  | Error;

// These three leave a type alone that may be anything a document holds: `Json`, `unknown` and `any`.

/** A document's value: readonly all the way down. Of an empty list in an initial value nothing is known. */
export type Value<T> = [Json] extends [T]
  ? T
  : T extends Date | Uint8Array
    ? Readonly<T>
    : T extends Whole
      ? T
      : T extends readonly (infer I)[]
        ? readonly ([I] extends [never] ? Json : Value<I>)[]
        : T extends object
          ? { readonly [K in keyof T]: Value<T[K]> }
          : T;

/** What may be written. An optional key takes undefined to be removed; with `exactOptionalPropertyTypes`, `delete` it. */
export type Draft<T> = [Json] extends [T]
  ? T
  : T extends Whole
    ? T
    : T extends readonly (infer I)[]
      ? ([I] extends [never] ? Json : Draft<I>)[]
      : T extends object
        ? { -readonly [K in keyof T]: Draft<T[K]> }
        : T;

/** `T` where a document can hold it. What it cannot hold has the type `never` here. */
export type Storable<T> = [Json] extends [T]
  ? T
  : T extends Whole
    ? T
    : T extends Foreign
      ? never
      : T extends object
        ? { [K in keyof T]: Storable<T[K]> }
        : T;

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
    if (typeof value !== "string") throw invalid(`an AtomicString is made of a string, not ${kindOf(value)}`);
    this.value = wellFormed(value);
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

const setters = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith("set"));
const refusals = Object.fromEntries(setters.map((name) => [name, { value: refuseDate }]));

/** Makes a date of a document's value refuse to be changed in place. Freezing alone does not reach the time inside. */
export function freezeDate(date: Date): Date {
  return Object.freeze(Object.defineProperties(date, refusals));
}

function refuseDate(): never {
  throw invalid("a document's date is changed inside change(); new Date(date) is a copy of your own");
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

/** Whether a value of the application is a Uint8Array, of whichever realm: a frame and a test runner have their own. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || (ArrayBuffer.isView(value) && tagOf(value) === "Uint8Array");
}

/** Whether a value of the application is a Date, of whichever realm. */
export function isDate(value: unknown): value is Date {
  return value instanceof Date || Object.prototype.toString.call(value) === "[object Date]";
}

function tagOf(view: ArrayBufferView): string {
  return (view as ArrayBufferView & { [Symbol.toStringTag]: string })[Symbol.toStringTag];
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

/** Keys that an object puts first, and in their own order, wherever they are set. Longer ones are ordered as others are. */
const INDEX = /^(?:0|[1-9]\d{0,8})$/;

/**
 * Puts the keys of a map in the order in which the core gives them, that of their code points: whoever writes sees the same as
 * whoever reads. Whole numbers come first all the same, as in every object.
 */
export function orderKeys(map: ValueMap): void {
  const keys = Object.keys(map).filter((key) => !INDEX.test(key));
  if (keys.every((key, index) => index === 0 || byCodePoints(keys[index - 1]!, key) < 0)) return;
  for (const key of keys.sort(byCodePoints)) {
    const value = map[key];
    delete map[key];
    setKey(map, key, value);
  }
}

function byCodePoints(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  return rank(a, at) - rank(b, at);
}

/** The rank of a code unit by the code points that begin with it. Units of pairs are below others, but their pairs are above. */
function rank(text: string, at: number): number {
  const unit = at < text.length ? text.charCodeAt(at) : -1;
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

/** How many arguments a call takes for certain. */
const ARGUMENTS_MAX = 10_000;

/** `list.splice(index, remove, ...values)` for any number of values. */
export function spliceList(list: ValueList, index: number, remove: number, values: readonly unknown[]): void {
  // The platform moves the rest of a list much faster than a loop does.
  if (values.length <= ARGUMENTS_MAX) {
    list.splice(index, remove, ...values);
    return;
  }
  const tail = list.splice(index);
  for (const value of values) list.push(value);
  for (let at = remove; at < tail.length; at++) list.push(tail[at]);
}

export function wholeNumber(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw invalid(`${what} must be a whole number`);
  return value;
}
