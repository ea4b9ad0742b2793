/**
 * Tickets, with which a relay lets two replicas link to each other.
 *
 * A ticket is a version (1 byte: 1), SHA-256("eyot ticket" ‖ the name of the space), then for each of the two its key (32
 * bytes) and its right (1 byte: 0 to read, 1 to write), in the order of the keys, then the time when it expires
 * (milliseconds since 1970, 8 bytes) and the relay's signature (64 bytes) of "eyot ticket" ‖ all before it. The core writes
 * it: `crate/core/src/wire/ticket.rs`.
 */
import { sha256 } from "@noble/hashes/sha256";
import { CLOSE_DENIED, CLOSE_EXPIRED, CLOSE_INCOMPATIBLE, CLOSE_MALFORMED } from "../base/close-codes.js";
import { isSame, Reader, type Bytes } from "./bytes.js";
import { TICKET_BYTES } from "./messages.js";

export interface Ticket {
  /** As it came. */
  readonly bytes: Bytes;
  readonly space: Bytes;
  readonly ends: readonly [TicketEnd, TicketEnd];
  readonly expiresAt: number;
}

interface TicketEnd {
  readonly key: Bytes;
  readonly right: "read" | "write";
}

/** Whom a ticket must be for, and when. */
export interface TicketFor {
  readonly space: string;
  readonly own: Bytes;
  readonly theirs: Bytes;
  readonly now: number;
  /** How long a ticket is good after it has expired: relays may be gone, and nobody gives fresh ones. */
  readonly graceMs?: number;
  /** Whether a relay of this space has signed these bytes. */
  isRelays(bytes: Bytes, signature: Bytes): Promise<boolean>;
}

const SIGNATURE_BYTES = 64;
const VERSION = 1;
const SIGNED_AS = "eyot ticket";
/** How much a device's clock may be late. */
const CLOCK_MS = 120_000;

/** Why a replica is not let in by its ticket, with the close code that says so. */
export class Refusal extends Error {
  readonly code: number;
  /** Whether the other side has said so. */
  readonly isTheirs: boolean;

  constructor(code: number, reason: string, isTheirs = false) {
    super(reason);
    this.code = code;
    this.isTheirs = isTheirs;
  }
}

/** Reads a ticket. Undefined where it is none. */
export function readTicket(bytes: Uint8Array): Ticket | undefined {
  if (bytes.length !== TICKET_BYTES || bytes[0] !== VERSION) return undefined;
  const from = new Reader(bytes.subarray(1));
  const space = from.bytes(32);
  const end = (): TicketEnd => ({ key: from.bytes(32), right: from.byte() === 1 ? "write" : "read" });
  return { bytes: new Uint8Array(bytes), space, ends: [end(), end()], expiresAt: from.number(8) };
}

/** What the other one may do here by its ticket. Throws a `Refusal` where that is nothing. */
export async function rightOf(ticket: Ticket | undefined, wanted: TicketFor): Promise<"read" | "write"> {
  if (ticket === undefined) throw new Refusal(CLOSE_MALFORMED, "this is no ticket");
  const { bytes, space, ends, expiresAt } = ticket;
  const signed = new Uint8Array([...new TextEncoder().encode(SIGNED_AS), ...bytes.subarray(0, -SIGNATURE_BYTES)]);
  const isRelays = await wanted.isRelays(signed, bytes.slice(-SIGNATURE_BYTES));
  if (!isRelays) throw new Refusal(CLOSE_MALFORMED, "no relay of this space has signed this ticket");
  if (!isSame(space, sha256(SIGNED_AS + wanted.space))) {
    throw new Refusal(CLOSE_INCOMPATIBLE, "this ticket is for another space");
  }
  const theirs = ends.find(({ key }) => isSame(key, wanted.theirs));
  const own = ends.find(({ key }) => isSame(key, wanted.own));
  if (theirs === undefined || own === undefined || theirs === own) {
    throw new Refusal(CLOSE_DENIED, "this ticket is for two others");
  }
  if (expiresAt + CLOCK_MS + (wanted.graceMs ?? 0) < wanted.now)
    throw new Refusal(CLOSE_EXPIRED, "this ticket has expired");
  return theirs.right;
}
