/**
 * The initial values of named documents: constants, the same at every replica. Others would differ from replica to replica,
 * and lists and keys of them would add up. What can be seen to be no constant is refused.
 */
import { invalid } from "../base/error.js";
import { isMap, type ValueMap } from "../value/value.js";

/** A time this close to now was read from the clock. */
const NOW_MS = 1_000;

/** What libraries make random ids look like. */
const RANDOM = [/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, /^[0-9a-f]{16,}$/i, /^(?=.*\d)[\w-]{20,}$/];

export class Beginnings {
  /** By name: what looks random in the values that it was opened with first. */
  readonly #random = new Map<string, ReadonlySet<string>>();

  /** Throws `invalid` where the initial value of that name is no constant. */
  check(name: string, initial: ValueMap): void {
    const random = new Set<string>();
    look(initial, "", Date.now(), random);
    const before = this.#random.get(name);
    if (before === undefined) {
      this.#random.set(name, random);
      return;
    }
    const other = [...random].find((text) => !before.has(text));
    if (other !== undefined && before.size > 0) {
      throw invalid(`a named document begins with constants: ${other} was another one when ${name} was opened before`);
    }
  }
}

/** Collects what looks random, and refuses the present time. */
function look(value: unknown, place: string, now: number, random: Set<string>): void {
  const time = value instanceof Date ? value.getTime() : value;
  if (typeof time === "number" && Math.abs(time - now) <= NOW_MS) {
    throw invalid(`a named document begins with constants, and ${place} is the present time`);
  }
  if (typeof value === "string" && isRandom(value)) random.add(value);
  if (Array.isArray(value)) value.forEach((item, index) => look(item, `${place}.${index}`, now, random));
  if (!isMap(value)) return;
  for (const key of Object.keys(value)) {
    if (isRandom(key)) random.add(key);
    look(value[key], place === "" ? key : `${place}.${key}`, now, random);
  }
}

function isRandom(text: string): boolean {
  return text.length <= 64 && RANDOM.some((pattern) => pattern.test(text));
}
