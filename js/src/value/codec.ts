/** The CBOR in which values, edits and patches cross into the core and back, see `crate/core/docs/values.md`. */
import { encode as encodeCbor, Token, Type } from "cborg";
import { ATOMIC_STRING, COUNTER, DATE, decode } from "./decode.js";
import type { Patch } from "./patch.js";
import { AtomicString, Counter, type ValueMap } from "./value.js";

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

/** Encodes a value of a document, or an array of edits. */
export function encode(value: unknown): Uint8Array {
  return encodeCbor(value, encoding);
}

/** Decodes a document's whole value and freezes it. */
export function decodeValue(bytes: Uint8Array): ValueMap {
  return decode(bytes) as ValueMap;
}

/** Decodes any value and freezes it. */
export function decodeAny(bytes: Uint8Array): unknown {
  return decode(bytes);
}

export function decodePatches(bytes: Uint8Array): Patch[] {
  return decode(bytes) as Patch[];
}

function integer(value: number): Token {
  return new Token(value < 0 ? Type.negint : Type.uint, value);
}
