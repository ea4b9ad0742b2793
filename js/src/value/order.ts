/** Values compared with one another. */
import { AtomicString, Counter, isBytes, isMap } from "./value.js";

/** Whether two values of documents are equal, deeply. */
export function alike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a instanceof Counter) return b instanceof Counter && a.value === b.value;
  if (a instanceof AtomicString) return b instanceof AtomicString && a.value === b.value;
  if (isBytes(a)) return isBytes(b) && a.length === b.length && a.every((byte, index) => byte === b[index]);
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => alike(item, b[index]));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && alike(a[key], b[key]));
}

/** The order of two values: below 0, 0 or above 0. What is absent comes first, then by kind: null, booleans, numbers and
 * counters, dates, strings, and last of all what has no order. Strings are in the order of their UTF-16 code units. */
export function compare(a: unknown, b: unknown): number {
  const kinds = kindOf(a) - kindOf(b);
  if (kinds !== 0) return kinds;
  const [x, y] = [plain(a), plain(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function kindOf(value: unknown): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  if (typeof value === "boolean") return 2;
  if (typeof value === "number" || value instanceof Counter) return Number.isNaN(value) ? 3 : 4;
  if (value instanceof Date) return 5;
  if (typeof value === "string" || value instanceof AtomicString) return 6;
  return 7;
}

function plain(value: unknown): number | string {
  if (typeof value === "string") return value;
  if (value instanceof Counter || value instanceof AtomicString) return value.value;
  if (value instanceof Date) return value.getTime();
  return typeof value === "number" && !Number.isNaN(value) ? value : Number(value === true);
}
