/** Document ids: 16 bytes, written in base58check as in automerge-repo. */
import bs58check from "bs58check";
import { kindOf } from "./check.js";
import { invalid } from "./error.js";

/** 16 bytes in base58check: what follows `automerge:` in a URL. */
export type DocId = string & { readonly __doc?: never };
export type DocUrl = `automerge:${string}`;

const SCHEME = "automerge:";
const BYTES = 16;
/** More than 16 bytes and a checksum take in base58. */
const CHARACTERS_MAX = 32;

export function formatId(bytes: Uint8Array): DocId {
  return bs58check.encode(bytes);
}

export function urlOf(id: DocId): DocUrl {
  return `${SCHEME}${id}`;
}

/** The bytes of an id or URL. */
export function parseId(id: DocId | DocUrl): Uint8Array {
  if (typeof id !== "string") throw invalid(`a document id is a string, not ${kindOf(id)}`);
  const text = id.startsWith(SCHEME) ? id.slice(SCHEME.length) : id;
  // Decoding takes time by the square of the length.
  const bytes = text.length > CHARACTERS_MAX ? undefined : bs58check.decodeUnsafe(text);
  if (bytes === undefined || bytes.length !== BYTES) throw invalid(`not a document id: ${id.slice(0, 64)}`);
  return new Uint8Array(bytes);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}
