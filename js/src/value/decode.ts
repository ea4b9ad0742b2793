/**
 * Reads the CBOR that the core writes, see `crate/core/docs/values.md`: definite lengths, and no tags but three. What is read
 * is frozen. A query reads the values of all documents at once: a decoder for all of CBOR takes three times as long for that.
 */
import { AtomicString, Counter, freezeDate, setKey, type ValueMap } from "./value.js";

// CBOR tags.
export const COUNTER = 40001;
export const ATOMIC_STRING = 40002;
export const DATE = 40003;

/** Presence and patches are never as deep as that, and documents may not be. */
const DEPTH_MAX = 1024;
/** Shorter texts are read faster here than by the platform. */
const SHORT = 24;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Throws where the bytes are not one value and nothing else. Integers beyond 53 bits become the nearest number. */
export function decode(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw malformed();
  return value;
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): unknown {
    if (depth > DEPTH_MAX) throw malformed();
    const head = this.#view.getUint8(this.at++);
    const info = head & 31;
    switch (head >> 5) {
      case 0:
        return this.#number(info);
      case 1:
        return this.#negative(info);
      case 2:
        return new Uint8Array(this.#taken(this.#number(info)));
      case 3:
        return this.#text(this.#number(info));
      case 4:
        return this.#list(this.#number(info), depth);
      case 5:
        return this.#map(this.#number(info), depth);
      case 6:
        return this.#tagged(this.#number(info), depth);
      default:
        return this.#simple(info);
    }
  }

  #number(info: number): number {
    if (info < 24) return info;
    const at = this.at;
    switch (info) {
      case 24:
        this.at += 1;
        return this.#view.getUint8(at);
      case 25:
        this.at += 2;
        return this.#view.getUint16(at);
      case 26:
        this.at += 4;
        return this.#view.getUint32(at);
      case 27:
        this.at += 8;
        return Number(this.#view.getBigUint64(at));
      default:
        throw malformed();
    }
  }

  #negative(info: number): number {
    if (info !== 27) return -1 - this.#number(info);
    this.at += 8;
    return Number(-1n - this.#view.getBigUint64(this.at - 8));
  }

  #simple(info: number): unknown {
    const at = this.at;
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 26:
        this.at += 4;
        return this.#view.getFloat32(at);
      case 27:
        this.at += 8;
        return this.#view.getFloat64(at);
      default:
        throw malformed();
    }
  }

  #taken(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.#bytes.length) throw malformed();
    const taken = this.#bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  #text(length: number): string {
    if (length < SHORT && this.at + length <= this.#bytes.length) {
      let text = "";
      let at = this.at;
      for (const end = at + length; at < end; at++) {
        const unit = this.#bytes[at]!;
        if (unit > 127) return utf8.decode(this.#taken(length));
        text += String.fromCharCode(unit);
      }
      this.at = at;
      return text;
    }
    return utf8.decode(this.#taken(length));
  }

  #list(length: number, depth: number): unknown {
    const list: unknown[] = [];
    // Each item takes a byte at least: there is an end to it, whatever the length says.
    for (let index = 0; index < length; index++) list.push(this.value(depth + 1));
    return Object.freeze(list);
  }

  #map(length: number, depth: number): unknown {
    const map: ValueMap = {};
    for (let index = 0; index < length; index++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string") throw malformed();
      setKey(map, key, this.value(depth + 1));
    }
    return Object.freeze(map);
  }

  #tagged(tag: number, depth: number): unknown {
    const value = this.value(depth + 1);
    if (tag === ATOMIC_STRING && typeof value === "string") return Object.freeze(new AtomicString(value));
    if (tag === COUNTER && typeof value === "number") return Object.freeze(new Counter(value));
    if (tag === DATE && typeof value === "number") return freezeDate(new Date(value));
    throw malformed();
  }
}

function malformed(): Error {
  return new Error("these bytes are not the CBOR of a value");
}
