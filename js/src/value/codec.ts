/** The CBOR in which values, edits and patches cross into the core and back, see `crate/core/docs/values.md`. */
import { decode as decodeCbor, encode as encodeCbor, Token, Type } from "cborg";
import type { Patch } from "./patch.js";
import { AtomicString, Counter, freezeDate, isMap, type ValueMap } from "./value.js";

// CBOR tags.
const COUNTER = 40001;
const ATOMIC_STRING = 40002;
const DATE = 40003;

const encoding: Parameters<typeof encodeCbor>[1] = {
  float64: true,
  typeEncoders: {
    // CBOR integers have no negative zero.
    number: (value: number) => (Object.is(value, -0) ? new Token(Type.float, value) : null),
    Object: (value: object) => {
      if (value instanceof Counter) return [new Token(Type.tag, COUNTER), integer(value.value)];
      if (value instanceof AtomicString) {
        return [new Token(Type.tag, ATOMIC_STRING), new Token(Type.string, value.value)];
      }
      return null;
    },
    Date: (value: Date) => [new Token(Type.tag, DATE), integer(value.getTime())],
  },
};

const decoding: Parameters<typeof decodeCbor>[1] = {
  tags: {
    [COUNTER]: (content) => Object.freeze(new Counter(Number(content()))),
    [ATOMIC_STRING]: (content) => Object.freeze(new AtomicString(content() as string)),
    [DATE]: (content) => freezeDate(new Date(Number(content()))),
  },
};

/** Encodes a value of a document, or an array of edits. */
export function encode(value: unknown): Uint8Array {
  return encodeCbor(value, encoding);
}

/** Decodes a document's whole value and freezes it. */
export function decodeValue(bytes: Uint8Array): ValueMap {
  return freezeDecoded(decodeCbor(bytes, decoding)) as ValueMap;
}

/** Decodes any value and freezes it. */
export function decodeAny(bytes: Uint8Array): unknown {
  return freezeDecoded(decodeCbor(bytes, decoding));
}

export function decodePatches(bytes: Uint8Array): Patch[] {
  return decodeCbor(bytes, decoding) as Patch[];
}

/** Freezes a decoded value. Integers beyond 53 bits become the nearest number, as in Automerge's own package. */
export function freezeDecoded(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (typeof item === "object" || typeof item === "bigint") value[index] = freezeDecoded(item);
    }
    return Object.freeze(value);
  }
  if (isMap(value)) {
    for (const key of Object.keys(value)) {
      const item = value[key];
      // Safe for a key `__proto__` too: it is an own property here, so the assignment does not set the prototype.
      if (typeof item === "object" || typeof item === "bigint") value[key] = freezeDecoded(item);
    }
    return Object.freeze(value);
  }
  return value;
}

function integer(value: number): Token {
  return new Token(value < 0 ? Type.negint : Type.uint, value);
}
