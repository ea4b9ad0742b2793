/**
 * The values a document can hold, and the one gate through which an application's values enter: every
 * container is copied, checked and frozen here, so that nobody else holds a way to change it.
 */
import { EyotError, invalid } from "./error.js";
import { wellFormed } from "./text.js";

/** How deep containers may nest. */
export const DEPTH_MAX = 128;

export type Container = ValueMap | ValueList;
export type ValueMap = { [key: string]: unknown };
export type ValueList = unknown[];

/** A number to which concurrent increments add up. */
export class Counter {
  // Whoever looks at a value should see what it is, however this package is minified.
  static readonly name = "Counter";

  readonly value: number;

  constructor(value = 0) {
    this.value = wholeNumber(value, "a counter");
  }

  /** Inside `change` it edits the document; on a counter of your own it just adds. */
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

/** A frozen copy of an application's value, or `invalid` if no document could hold it. */
export function snapshot(value: unknown): unknown {
  return copy(value, [], []);
}

/** The same for a document's root, which is always a map. */
export function snapshotRoot(value: unknown): ValueMap {
  const root = snapshot(value);
  if (!isMap(root)) throw invalid("a document is an object with named parts");
  return root;
}

/** A deep copy of a document's value that its receiver may change. */
export function thaw(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(thaw);
  if (isMap(value)) {
    const map: ValueMap = {};
    for (const key of Object.keys(value)) setKey(map, key, thaw(value[key]));
    return map;
  }
  if (value instanceof Counter) return new Counter(value.value);
  if (value instanceof Date) return new Date(value);
  if (value instanceof Uint8Array) return value.slice();
  return value;
}

/** Whether a document's own value is a map. Of foreign values nothing is known. */
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

/** Sets a key of a map whose keys are anybody's choice, `__proto__` included. */
export function setKey(map: ValueMap, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(map, key, { value, configurable: true, enumerable: true, writable: true });
  } else {
    map[key] = value;
  }
}

export function wholeNumber(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw invalid(`${what} must be a whole number`);
  return value;
}

function copy(value: unknown, path: (string | number)[], above: object[]): unknown {
  switch (typeof value) {
    case "string":
      return wellFormed(value);
    case "number":
    case "boolean":
      return value;
    case "bigint":
      if (BigInt.asIntN(54, value) !== value) throw refused(path, "a bigint beyond the safe integers");
      return Number(value);
    case "object":
      return value === null ? null : copyObject(value, path, above);
    default:
      throw refused(path, value === undefined ? "undefined (delete the key instead)" : `a ${typeof value}`);
  }
}

function copyObject(value: object, path: (string | number)[], above: object[]): unknown {
  if (value instanceof Counter) return Object.freeze(new Counter(value.value));
  if (value instanceof AtomicString) return Object.freeze(new AtomicString(value.value));
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Date) return copyDate(value, path);
  if (above.includes(value)) throw refused(path, "a value that contains itself");
  if (above.length >= DEPTH_MAX) {
    throw new EyotError("too-large", `a document cannot nest deeper than ${DEPTH_MAX} levels`);
  }
  above.push(value);
  const result = Array.isArray(value) ? copyList(value, path, above) : copyMap(value, path, above);
  above.pop();
  return Object.freeze(result);
}

function copyList(list: readonly unknown[], path: (string | number)[], above: object[]): ValueList {
  const result: ValueList = [];
  for (let index = 0; index < list.length; index++) {
    path.push(index);
    result.push(copy(list[index], path, above));
    path.pop();
  }
  return result;
}

function copyMap(map: object, path: (string | number)[], above: object[]): ValueMap {
  const prototype: unknown = Object.getPrototypeOf(map);
  // An object of another realm has another Object.prototype, which has none itself.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw refused(path, `a ${map.constructor?.name || "class instance"} (only plain objects and lists)`);
  }
  const result: ValueMap = {};
  for (const [key, value] of Object.entries(map)) {
    path.push(key);
    setKey(result, wellFormed(key), copy(value, path, above));
    path.pop();
  }
  return result;
}

function copyDate(date: Date, path: (string | number)[]): Date {
  if (Number.isNaN(date.getTime())) throw refused(path, "an invalid Date");
  return new Date(date);
}

function refused(path: readonly (string | number)[], what: string): EyotError {
  const place = path.length === 0 ? "" : ` at ${path.join(".")}`;
  return invalid(`a document cannot hold ${what}${place}`);
}
