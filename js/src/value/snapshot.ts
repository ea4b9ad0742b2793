/**
 * Copies values into and out of documents. Every value from the application passes `snapshot`, which copies, checks
 * and freezes it, so that the application keeps no reference by which it could change the document.
 */
import { kindOf } from "../base/check.js";
import { EyotError, invalid } from "../base/error.js";
import { wellFormed } from "./text.js";
import {
  AtomicString,
  Counter,
  freezeDate,
  isBytes,
  isDate,
  isMap,
  orderKeys,
  setKey,
  type ValueList,
  type ValueMap,
} from "./value.js";

/** Maximum nesting of containers in a document, its root included. */
export const DEPTH_MAX = 128;

/**
 * A frozen copy of the value, which stands below `above` other containers. Throws `invalid` for a value that a document
 * cannot hold.
 */
export function snapshot(value: unknown, above = 0): unknown {
  return new Copy(above).value(value);
}

/** The same for a document's root, which must be a map. */
export function snapshotRoot(value: unknown): ValueMap {
  const root = snapshot(value);
  if (!isMap(root)) throw invalid(`a document is an object with named parts, not ${kindOf(value)}`);
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

/** One copy under way: where it is, for errors, and which objects it is inside of. */
class Copy {
  readonly #path: (string | number)[] = [];
  readonly #inside: object[] = [];

  constructor(readonly above: number) {}

  value(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        return wellFormed(value);
      case "number":
      case "boolean":
        return value;
      case "bigint":
        if (BigInt.asIntN(54, value) !== value) throw this.#refused("a bigint beyond the safe integers");
        return Number(value);
      case "object":
        return value === null ? null : this.#object(value);
      default:
        throw this.#refused(value === undefined ? "undefined" : kindOf(value));
    }
  }

  #object(value: object): unknown {
    if (value instanceof Counter) return Object.freeze(new Counter(value.value));
    if (value instanceof AtomicString) return Object.freeze(new AtomicString(value.value));
    if (isBytes(value)) return new Uint8Array(value);
    if (isDate(value)) return this.#date(value);
    if (this.#inside.includes(value)) throw this.#refused("a value that contains itself");
    if (this.above + this.#inside.length >= DEPTH_MAX) {
      throw new EyotError("too-large", `a document cannot nest deeper than ${DEPTH_MAX} levels`);
    }
    this.#inside.push(value);
    const result = Array.isArray(value) ? this.#list(value) : this.#map(value);
    this.#inside.pop();
    return Object.freeze(result);
  }

  #list(list: readonly unknown[]): ValueList {
    const result: ValueList = [];
    for (let index = 0; index < list.length; index++) {
      this.#path.push(index);
      result.push(this.value(list[index]));
      this.#path.pop();
    }
    return result;
  }

  #map(map: object): ValueMap {
    const prototype: unknown = Object.getPrototypeOf(map);
    // An object from another realm (an iframe) has its own Object.prototype, so accept any prototype that has none.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw this.#refused(`${kindOf(map)} (only plain objects, lists and Uint8Arrays)`);
    }
    const result: ValueMap = {};
    for (const [key, value] of Object.entries(map)) {
      // As in JSON, a key that is undefined is not there.
      if (value === undefined) continue;
      this.#path.push(key);
      setKey(result, wellFormed(key), this.value(value));
      this.#path.pop();
    }
    orderKeys(result);
    return result;
  }

  #date(date: Date): Date {
    const time = date.getTime();
    if (Number.isNaN(time)) throw this.#refused("an invalid Date");
    return freezeDate(new Date(time));
  }

  #refused(what: string): EyotError {
    const place = this.#path.length === 0 ? "" : ` at ${this.#path.join(".")}`;
    return invalid(`a document cannot hold ${what}${place}`);
  }
}
