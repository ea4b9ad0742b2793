/**
 * The index of a log: where the value of each key is. Keys are strings of one character for each byte, because
 * JavaScript can compare strings, in the same order as bytes, and use them in a `Map`.
 */

/** Position and length of a value in the log, in bytes. */
export interface Place {
  start: number;
  length: number;
}

/** Keys with the new places of their values; without a place, the key was deleted. */
export type PlaceChanges = [string, Place | undefined][];

export function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

export function bytesOf(key: string): Uint8Array {
  return new Uint8Array(Buffer.from(key, "latin1"));
}

export class KeyIndex {
  readonly #places = new Map<string, Place>();
  /** All keys, sorted. */
  #keys: string[] = [];
  /** Approximate size of a log that holds these entries and no garbage. */
  bytes = 0;

  get(key: string): Place | undefined {
    return this.#places.get(key);
  }

  apply(changes: PlaceChanges): void {
    for (const [key, place] of changes) {
      const old = this.#places.get(key);
      if (old !== undefined) this.bytes -= weight(key, old);
      if (place !== undefined) {
        this.bytes += weight(key, place);
        this.#places.set(key, place);
        if (old === undefined) this.#insert(key);
      } else if (old !== undefined) {
        this.#places.delete(key);
        this.#keys.splice(this.#find(key), 1);
      }
    }
  }

  /** Entries with `from <= key < to`, until their values exceed `bytesMax` bytes; at least one if there is any. */
  range(from: string, to: string, bytesMax: number): { entries: [string, Place][]; more: boolean } {
    const end = this.#find(to);
    const entries: [string, Place][] = [];
    let bytes = 0;
    let at = this.#find(from);
    while (at < end && (entries.length === 0 || bytes <= bytesMax)) {
      const key = this.#keys[at]!;
      const place = this.#places.get(key)!;
      bytes += place.length;
      entries.push([key, place]);
      at += 1;
    }
    return { entries, more: at < end };
  }

  /** All entries in order, in chunks of about `bytesMax` bytes of values. */
  *chunks(bytesMax: number): Generator<[string, Place][]> {
    let chunk: [string, Place][] = [];
    let bytes = 0;
    for (const key of this.#keys) {
      const place = this.#places.get(key)!;
      if (chunk.length > 0 && bytes + place.length > bytesMax) {
        yield chunk;
        chunk = [];
        bytes = 0;
      }
      chunk.push([key, place]);
      bytes += place.length;
    }
    if (chunk.length > 0) yield chunk;
  }

  #insert(key: string): void {
    const last = this.#keys[this.#keys.length - 1];
    // Most new keys sort after all others, and appending is cheaper than searching.
    if (last === undefined || last < key) this.#keys.push(key);
    else this.#keys.splice(this.#find(key), 0, key);
  }

  /** Position of the first key that is not less than this one. */
  #find(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function weight(key: string, place: Place): number {
  return key.length + place.length + 8;
}
