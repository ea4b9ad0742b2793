/** Reads and writes small binary texts. */

/** Bytes whose buffer is not shared: the platform's cryptography takes no others. */
export type Bytes = Uint8Array<ArrayBuffer>;

export class Writer {
  readonly #bytes: number[] = [];

  byte(byte: number): void {
    this.#bytes.push(byte);
  }

  bytes(bytes: Iterable<number>): void {
    this.#bytes.push(...bytes);
  }

  /** The most significant byte first. */
  number(value: number, bytes: number): void {
    for (let at = bytes - 1; at >= 0; at--) this.byte(Math.floor(value / 256 ** at) % 256);
  }

  done(): Uint8Array {
    return new Uint8Array(this.#bytes);
  }
}

/** Throws a `RangeError` where the bytes end too early. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.bytes(1)[0]!;
  }

  bytes(count: number): Bytes {
    if (count > this.#bytes.length - this.#at) throw new RangeError("the bytes end too early");
    this.#at += count;
    return new Uint8Array(this.#bytes.subarray(this.#at - count, this.#at));
  }

  number(bytes: number): number {
    return this.bytes(bytes).reduce((value, byte) => 256 * value + byte, 0);
  }
}

/** Compares in a time that does not tell where they differ. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.reduce((different, byte, at) => different | (byte ^ other[at]!), 0) === 0;
}
