/** Values, edits and patches as the CBOR that crosses into the core and back. */
import { decode as decodeCbor, encode as encodeCbor, Token, Type } from "cborg";
import type { Op } from "./op.js";
import type { Patch } from "./types.js";
import { AtomicString, Counter, isMap, type ValueMap } from "./value.js";

const COUNTER = 40001;
const ATOMIC_STRING = 40002;
const DATE = 40003;

const encoding: Parameters<typeof encodeCbor>[1] = {
  float64: true,
  typeEncoders: {
    // An integer's encoding has no negative zero.
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
    [DATE]: (content) => new Date(Number(content())),
  },
};

export function encodeValue(value: unknown): Uint8Array {
  return encodeCbor(value, encoding);
}

export function encodeOps(ops: readonly Op[]): Uint8Array {
  return encodeCbor(ops, encoding);
}

/** A document's whole value, frozen. */
export function decodeValue(bytes: Uint8Array): ValueMap {
  return settle(decodeCbor(bytes, decoding)) as ValueMap;
}

export function decodePatches(bytes: Uint8Array): Patch[] {
  return decodeCbor(bytes, decoding) as Patch[];
}

/** Plain data of the core's own making. */
export function decodePlain(bytes: Uint8Array): unknown {
  return decodeCbor(bytes);
}

/** Freezes what was decoded; integers too large to be exact become the nearest number, as in Automerge's own package. */
export function settle(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (typeof item === "object" || typeof item === "bigint") value[index] = settle(item);
    }
    return Object.freeze(value);
  }
  if (isMap(value)) {
    for (const key of Object.keys(value)) {
      const item = value[key];
      // A key `__proto__` is an own property here, so this assignment stays with it.
      if (typeof item === "object" || typeof item === "bigint") value[key] = settle(item);
    }
    return Object.freeze(value);
  }
  return value;
}

function integer(value: number): Token {
  return new Token(value < 0 ? Type.negint : Type.uint, value);
}
