/**
 * Checks of what the application passes in. Whatever is wrong is refused here, with the name of the argument. It must not
 * reach the engine, which would take a failed conversion for its own death.
 */
import { invalid } from "./error.js";

/**
 * A copy of the options that `where` takes. Refuses anything else: an option that is ignored may be one that the caller
 * relies on. An option that is undefined counts as left out.
 */
export function optionsOf<T extends object>(where: string, given: unknown, known: readonly (keyof T & string)[]): T {
  const options: Partial<T> = {};
  if (given === undefined) return options as T;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalid(`${where} takes its options as an object, not ${kindOf(given)}`);
  }
  const unknown = Object.keys(given).find((key) => !(known as readonly string[]).includes(key));
  if (unknown !== undefined) throw invalid(`${where} has no option ${shown(unknown)}`);
  for (const key of known) {
    const value = (given as T)[key];
    if (value !== undefined) options[key] = value;
  }
  return options as T;
}

/** Refuses what is not a function. */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== "function") throw invalid(`${what} is a function, not ${kindOf(value)}`);
}

/** Whether it is what an async function returns. A rejection of it is nobody's any more. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  const isIt = typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
  if (isIt) (value as PromiseLike<unknown>).then(undefined, () => undefined);
  return isIt;
}

export function checkBoolean(what: string, value: unknown): void {
  if (typeof value !== "boolean") throw invalid(`${what} is true or false, not ${kindOf(value)}`);
}

/** Refuses what is not a string, and half a character in one: it would become another character on its way. */
export function checkText(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string") throw invalid(`${what} is a string, not ${kindOf(value)}`);
  if (/\p{Surrogate}/u.test(value)) throw invalid(`${what} is well-formed text, without half a surrogate pair`);
}

/** A name: text of 1 to `bytesMax` bytes. */
export function checkName(what: string, value: unknown, bytesMax: number): asserts value is string {
  checkText(what, value);
  if (value === "") throw invalid(`${what} is not empty`);
  // A code unit takes at least one byte, so a text that is far too long need not be encoded.
  if (value.length > bytesMax || new TextEncoder().encode(value).length > bytesMax) {
    throw invalid(`${what} has at most ${bytesMax} bytes`);
  }
}

/** What a value is, for an error. It never shows the value, which may hold a secret by mistake. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "object") return typeof value === "symbol" ? "a symbol" : `a ${typeof value}`;
  const name = nameOf(value);
  return name === undefined || name === "Object" ? "an object" : /^[AEIOU]/.test(name) ? `an ${name}` : `a ${name}`;
}

/** The name of an object's class. A proxy may throw where it is asked. */
function nameOf(value: object): string | undefined {
  try {
    const { name } = value.constructor;
    return typeof name === "string" && name !== "" ? name : undefined;
  } catch {
    return undefined;
  }
}

/** A key as an error shows it. */
function shown(key: string): string {
  return key.length > 40 ? `${key.slice(0, 40)}…` : key;
}
