/**
 * The two texts with which people bring two replicas together, with no server between them: an invitation, and the answer
 * that goes back. Each is bytes in base58 with a checksum, as document ids are.
 *
 * | text | bytes |
 * | --- | --- |
 * | invitation | version 1, kind 1, flags (1: for reading only), 8 bytes that name the space, when it expires (seconds since 1970, 4 bytes), a secret of 16 bytes, a description |
 * | answer | version 1, kind 2, flags (1: passive in DTLS), 8 bytes that name the invitation, a description |
 *
 * The space is named by the first bytes of SHA-256("eyot invitation" ‖ its name). The answer names its invitation by the
 * first bytes of a MAC under the secret, over the invitation and what follows in the answer. On the channel each side then
 * proves that it knows the secret, by a MAC over both texts: these hold the fingerprints of both certificates.
 */
import { hmac } from "@noble/hashes/hmac";
import { sha256 } from "@noble/hashes/sha256";
import bs58check from "bs58check";
import { checkText } from "../base/check.js";
import { EyotError, invalid } from "../base/error.js";
import { isSame, Reader, Writer } from "./bytes.js";
import { pack, unpack, type Description, type Setup } from "./description.js";

export interface Invited {
  /** Of the text. */
  readonly bytes: Uint8Array;
  readonly secret: Uint8Array;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly description: Description;
}

export interface Answered {
  readonly bytes: Uint8Array;
  readonly description: Description;
  readonly setup: Setup;
}

const VERSION = 1;
const INVITATION = 1;
const ANSWER = 2;
const NAME_BYTES = 8;
const SECRET_BYTES = 16;
/** More than any such text has. Decoding takes time by the square of the length. */
const CHARACTERS_MAX = 700;
const INVITATION_OF = { [INVITATION]: "an invitation", [ANSWER]: "an answer to an invitation" } as const;

type Kind = keyof typeof INVITATION_OF;

export function invite(
  space: string,
  right: "read" | "write",
  expiresAt: number,
  description: Description,
): { text: string; invited: Invited } {
  const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  const seconds = Math.floor(expiresAt / 1000);
  const to = begin(INVITATION, right === "read");
  to.bytes(nameOf(space));
  to.number(seconds, 4);
  to.bytes(secret);
  pack(description, to);
  const bytes = to.done();
  return { text: bs58check.encode(bytes), invited: { bytes, secret, expiresAt: 1000 * seconds, description } };
}

/** Reads an invitation. Throws where it is none, or is for another space. */
export function readInvitation(text: unknown, space: string): Invited {
  const { bytes, from } = decode(text, INVITATION);
  return orMalformed(INVITATION, () => {
    const isOfSpace = isSame(from.bytes(NAME_BYTES), nameOf(space));
    const expiresAt = 1000 * from.number(4);
    const secret = from.bytes(SECRET_BYTES);
    const description = unpack(from);
    if (description === undefined || !from.isAtEnd) return undefined;
    if (!isOfSpace) throw new EyotError("incompatible", "this invitation is to another space");
    return { bytes, secret, expiresAt, description };
  });
}

export function answer(invited: Invited, setup: Setup, description: Description): { text: string; answered: Answered } {
  const rest = new Writer();
  pack(description, rest);
  const to = begin(ANSWER, setup === "passive");
  to.bytes(nameOfInvitation(invited, rest.done()));
  to.bytes(rest.done());
  const bytes = to.done();
  return { text: bs58check.encode(bytes), answered: { bytes, setup, description } };
}

/** Reads an answer. Throws where it is none, or answers another invitation. */
export function readAnswer(text: unknown, invited: Invited): Answered {
  const { bytes, from, flag } = decode(text, ANSWER);
  return orMalformed(ANSWER, () => {
    const name = from.bytes(NAME_BYTES);
    const description = unpack(from);
    if (description === undefined || !from.isAtEnd) return undefined;
    const expected = nameOfInvitation(invited, bytes.subarray(HEAD_BYTES + NAME_BYTES));
    if (!isSame(name, expected)) throw invalid("this is the answer to another invitation");
    return { bytes, setup: flag ? "passive" : "active", description };
  });
}

/** What a side sends on the channel to prove that it knows the secret. */
export function proofOf(side: "inviter" | "joiner", invited: Invited, answered: Answered): Uint8Array {
  return macOf(invited, `eyot ${side}`, answered.bytes);
}

// Both texts.

const HEAD_BYTES = 3;

function begin(kind: Kind, flag: boolean): Writer {
  const to = new Writer();
  to.bytes([VERSION, kind, flag ? 1 : 0]);
  return to;
}

function decode(text: unknown, wanted: Kind): { bytes: Uint8Array; from: Reader; flag: boolean } {
  checkText(INVITATION_OF[wanted], text);
  // A person may have copied more than the text, or got it in several lines.
  const compact = text.replace(/\s/g, "");
  const bytes = compact.length > CHARACTERS_MAX ? undefined : bs58check.decodeUnsafe(compact);
  if (bytes === undefined || bytes.length < HEAD_BYTES) throw malformed(wanted);
  const from = new Reader(bytes);
  const [version, kind, flags] = [from.byte(), from.byte(), from.byte()];
  if (version !== VERSION) throw new EyotError("incompatible", `this is of version ${version}, and this eyot is older`);
  if (kind !== wanted && (kind === INVITATION || kind === ANSWER)) {
    throw invalid(`this is ${INVITATION_OF[kind]}, and not ${INVITATION_OF[wanted]}`);
  }
  if (kind !== wanted) throw malformed(wanted);
  return { bytes, from, flag: (flags & 1) === 1 };
}

/** What `read` gives. A text that ends too early, or says what can't be, is malformed. */
function orMalformed<T>(wanted: Kind, read: () => T | undefined): T {
  let value: T | undefined;
  try {
    value = read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  if (value === undefined) throw malformed(wanted);
  return value;
}

function malformed(wanted: Kind): EyotError {
  return invalid(`this text is not ${INVITATION_OF[wanted]}, or a part of it is missing`);
}

function nameOf(space: string): Uint8Array {
  return sha256(`eyot invitation${space}`).subarray(0, NAME_BYTES);
}

function nameOfInvitation(invited: Invited, rest: Uint8Array): Uint8Array {
  return macOf(invited, "eyot answer", rest).subarray(0, NAME_BYTES);
}

function macOf({ secret, bytes }: Invited, label: string, rest: Uint8Array): Uint8Array {
  return hmac.create(sha256, secret).update(label).update(sha256(bytes)).update(rest).digest();
}
