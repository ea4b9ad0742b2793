/** A relay's store in memory. */
import type { StoreScan, StoreWrite, SyncStore } from "./instance.js";

export class MemoryStore implements SyncStore {
  readonly #values = new Map<string, Uint8Array>();
  /** The keys in order; undefined where that has to be found again. */
  #sorted: string[] | undefined;

  get(keys: Uint8Array[]): (Uint8Array | undefined)[] {
    return keys.map((key) => this.#values.get(textOf(key)));
  }

  scan(from: Uint8Array, to: Uint8Array, bytesMax: number): StoreScan {
    const keys = (this.#sorted ??= [...this.#values.keys()].sort());
    const end = textOf(to);
    const scan: StoreScan = { keys: [], values: [], more: false };
    let bytes = 0;
    for (let at = firstFrom(keys, textOf(from)); at < keys.length && keys[at]! < end; at += 1) {
      if (bytes > bytesMax) return { ...scan, more: true };
      const value = this.#values.get(keys[at]!)!;
      bytes += value.length;
      scan.keys.push(bytesOf(keys[at]!));
      scan.values.push(value);
    }
    return scan;
  }

  write({ guardKey, guardValue, puts, deletes }: StoreWrite): boolean {
    if (guardKey !== undefined && !isSame(this.#values.get(textOf(guardKey)), guardValue)) return false;
    for (const key of deletes) if (this.#values.delete(textOf(key))) this.#sorted = undefined;
    for (const [key, value] of puts) {
      const name = textOf(key);
      if (!this.#values.has(name)) this.#sorted = undefined;
      // A copy: what is written is memory of the Wasm's, or may be changed.
      this.#values.set(name, value.slice());
    }
    return true;
  }
}

/** A character for each byte: texts have the order of their bytes. */
function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function bytesOf(key: string): Uint8Array {
  return Uint8Array.from(key, (character) => character.charCodeAt(0));
}

/** The place of the first key that is not before this one. */
function firstFrom(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
