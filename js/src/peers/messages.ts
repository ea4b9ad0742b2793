/**
 * The messages of a channel between two replicas, version 1. The first byte says what a message is.
 *
 * | byte | message | what follows |
 * | --- | --- | --- |
 * | 1 | Hello | "eyot", the version, 16 random bytes |
 * | 2 | Frame | a frame, or its last piece |
 * | 3 | Piece | a piece of a frame |
 * | 4 | Bye | the first 8 random bytes of the Hello that it answers, a close code of 2 bytes, a reason for people |
 * | 5 | Proof | a MAC of 32 bytes: before the Hello on a channel that was made by an invitation, see `invitation.ts` |
 * | 6 | Ticket | a ticket, a signature of 64 bytes: before the Hello where a relay has introduced both, see `introduction.ts` |
 * | 7 | Accepted | nothing: this side lets the other in by its ticket |
 * | 8 | Pass on | the key of a replica (32 bytes), and what is to be said to it |
 * | 9 | Passed on | the key of a replica (32 bytes), and what it says; nothing: it is not linked to who was asked |
 */

import type { Bytes } from "./bytes.js";

export const VERSION = 1;
export const RANDOM_BYTES = 16;
/** A frame of the link protocol has no more, see `crate/core/docs/protocol.md`. */
export const FRAME_BYTES_MAX = 256 * 1024;

const HELLO = 1;
const FRAME = 2;
const PIECE = 3;
const BYE = 4;
const PROOF = 5;
const PROOF_BYTES = 32;
const TICKET = 6;
/** As it is written, see `ticket.ts`. */
export const TICKET_BYTES = 171;
const TICKET_PROOF_BYTES = 64;
const ACCEPTED = 7;
const PASS_ON = 8;
const PASSED_ON = 9;
const KEY_BYTES = 32;
const MAGIC = [0x65, 0x79, 0x6f, 0x74];
const HELLO_BYTES = 1 + MAGIC.length + 1 + RANDOM_BYTES;
const NAMED_BYTES = 8;
const BYE_BYTES_MIN = 1 + NAMED_BYTES + 2;
const REASON_BYTES_MAX = 123;
/** Whom a Bye is for before there is a Hello. */
export const NOBODY = new Uint8Array(NAMED_BYTES);

export type Message =
  | { kind: "hello"; version: number; random: Uint8Array }
  | { kind: "frame"; bytes: Uint8Array; isLast: boolean }
  | { kind: "bye"; named: Uint8Array; code: number; reason: string }
  | { kind: "passOn" | "passedOn"; key: Bytes; bytes: Bytes };

/** The message in these bytes; undefined where they are none. */
export function read(bytes: Uint8Array): Message | undefined {
  switch (bytes[0]) {
    case HELLO: {
      if (bytes.length !== HELLO_BYTES || MAGIC.some((byte, at) => bytes[1 + at] !== byte)) return undefined;
      return { kind: "hello", version: bytes[1 + MAGIC.length]!, random: bytes.slice(-RANDOM_BYTES) };
    }
    case FRAME:
    case PIECE:
      return { kind: "frame", bytes: bytes.subarray(1), isLast: bytes[0] === FRAME };
    case BYE: {
      if (bytes.length < BYE_BYTES_MIN || bytes.length > BYE_BYTES_MIN + REASON_BYTES_MAX) return undefined;
      const named = bytes.slice(1, 1 + NAMED_BYTES);
      const code = bytes[1 + NAMED_BYTES]! * 256 + bytes[2 + NAMED_BYTES]!;
      return { kind: "bye", named, code, reason: new TextDecoder().decode(bytes.subarray(BYE_BYTES_MIN)) };
    }
    case PASS_ON:
    case PASSED_ON: {
      if (bytes.length <= KEY_BYTES) return undefined;
      const kind = bytes[0] === PASS_ON ? "passOn" : "passedOn";
      return { kind, key: bytes.slice(1, 1 + KEY_BYTES), bytes: bytes.slice(1 + KEY_BYTES) };
    }
    default:
      return undefined;
  }
}

export function passOn(to: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([PASS_ON, ...to, ...bytes]);
}

export function passedOn(from: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([PASSED_ON, ...from, ...bytes]);
}

export function hello(random: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([HELLO, ...MAGIC, VERSION, ...random]);
}

/** A frame as messages of at most so many bytes. */
export function* frame(bytes: Uint8Array, messageBytesMax: number): Generator<Uint8Array<ArrayBuffer>> {
  const most = messageBytesMax - 1;
  for (let from = 0; from === 0 || from < bytes.length; from += most) {
    const piece = bytes.subarray(from, from + most);
    const message = new Uint8Array(1 + piece.length);
    message[0] = from + most < bytes.length ? PIECE : FRAME;
    message.set(piece, 1);
    yield message;
  }
}

/** `random` is that of the other side's Hello. */
export function bye(random: Uint8Array, code: number, reason: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(reason).subarray(0, REASON_BYTES_MAX);
  return new Uint8Array([BYE, ...random.subarray(0, NAMED_BYTES), code >> 8, code & 255, ...text]);
}

/** Whether a Bye answers the Hello with these random bytes. */
export function answers(named: Uint8Array, random: Uint8Array): boolean {
  return compare(named, random.subarray(0, NAMED_BYTES)) === 0;
}

/** Compares two lists of bytes of the same length: negative where the first one is less. */
export function compare(one: Uint8Array, other: Uint8Array): number {
  const at = one.findIndex((byte, index) => byte !== other[index]);
  return at < 0 ? 0 : one[at]! - other[at]!;
}

export function proof(mac: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([PROOF, ...mac]);
}

/** The MAC in a message; undefined where it is another one. */
export function readProof(bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === PROOF && bytes.length === 1 + PROOF_BYTES ? bytes.subarray(1) : undefined;
}

export function show(ticket: Uint8Array, proof: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([TICKET, ...ticket, ...proof]);
}

/** The ticket in a message, and the proof that it was given to who shows it; undefined where it is another message. */
export function readShown(bytes: Uint8Array): { ticket: Bytes; proof: Bytes } | undefined {
  if (bytes[0] !== TICKET || bytes.length !== 1 + TICKET_BYTES + TICKET_PROOF_BYTES) return undefined;
  return { ticket: bytes.slice(1, 1 + TICKET_BYTES), proof: bytes.slice(1 + TICKET_BYTES) };
}

export function accepted(): Uint8Array<ArrayBuffer> {
  return new Uint8Array([ACCEPTED]);
}

export function isAccepted(bytes: Uint8Array): boolean {
  return bytes.length === 1 && bytes[0] === ACCEPTED;
}
