/** A store of one's own, in memory, for tests: of faults, in classes that extend it. */
import type { AsyncStore, StoreScan, StoreWrite } from "../src/storage/store.js";

export const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** A store in memory that does as it should. Its keys are texts, a character for each byte. */
export class MemoryStore implements AsyncStore {
  constructor(protected readonly entries: Map<string, Uint8Array>) {}

  async get(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this.entries.get(text(key))?.slice());
  }

  async scan(from: Uint8Array, to: Uint8Array, bytesMax: number): Promise<StoreScan> {
    const found: StoreScan = { keys: [], values: [], more: false };
    let size = 0;
    for (const key of this.sorted([...this.entries.keys()])) {
      if (key < text(from) || key >= text(to)) continue;
      if (this.isFull(found, size, bytesMax)) return { ...found, more: true };
      const value = this.entries.get(key)!;
      found.keys.push(bytes(key));
      found.values.push(value.slice());
      size += value.length;
    }
    return found;
  }

  async write({ guardKey, guardValue, puts, deletes }: StoreWrite): Promise<boolean> {
    if (guardKey !== undefined && !this.holds(this.entries.get(text(guardKey)), guardValue)) return false;
    for (const key of deletes) this.entries.delete(text(key));
    for (const [key, value] of puts) this.entries.set(text(key), value.slice());
    return true;
  }

  async close(): Promise<void> {}

  protected sorted(keys: string[]): string[] {
    return keys.sort();
  }

  protected isFull({ keys }: StoreScan, size: number, bytesMax: number): boolean {
    return keys.length > 0 && size >= bytesMax;
  }

  protected holds(value: Uint8Array | undefined, guard: Uint8Array | undefined): boolean {
    return value === undefined || guard === undefined ? value === guard : text(value) === text(guard);
  }
}
