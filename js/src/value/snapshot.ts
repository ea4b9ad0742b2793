/**
 * Copies values into and out of documents. Every value from the application passes `snapshot`, which copies, checks
 * and freezes it, so that the application keeps no reference by which it could change the document.
 */
import { EyotError, invalid } from "../base/error.js";
import { wellFormed } from "./text.js";
import { AtomicString, Counter, isMap, setKey, type ValueList, type ValueMap } from "./value.js";

/** Maximum nesting of containers in one value. */
const DEPTH_MAX = 128;

/** A frozen copy of the value. Throws `invalid` for a value that a document cannot hold. */
export function snapshot(value: unknown): unknown {
  return copy(value, [], []);
}

/** The same for a document's root, which must be a map. */
export function snapshotRoot(value: unknown): ValueMap {
  const root = snapshot(value);
  if (!isMap(root)) throw invalid("a document is an object with named parts");
  return root;
}

/** A deep copy of a document's value that may be changed. */
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
  // An object from another realm (an iframe) has its own Object.prototype, so accept any prototype that has none.
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
