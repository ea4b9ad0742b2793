/** What the laws over random edits have in common. */
import fc from "fast-check";
import { AtomicString, Counter } from "./eyot.js";

type Any = any;

/** Values without parts, of every kind; strings are of `text`. */
export const scalarOf = (text: fc.Arbitrary<string>) =>
  fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    text,
    text.map((string) => new AtomicString(string)),
    fc.integer({ min: -9, max: 9 }).map((value) => new Counter(value)),
    fc.integer({ min: 0, max: 2e12 }).map((ms) => new Date(ms)),
    fc.uint8Array({ maxLength: 4 }),
  );

/** Increments a counter. False: it is none. */
export function bump(counter: unknown): boolean {
  if (counter instanceof Counter) counter.increment(2);
  return counter instanceof Counter;
}

/** Puts a value into a list or a map. False: it is neither. */
export function deepen(part: Any, value: unknown): boolean {
  if (Array.isArray(part)) part.unshift(value);
  else if (part !== undefined && Object.getPrototypeOf(part ?? 0) === Object.prototype) part.x = value;
  else return false;
  return true;
}
