/**
 * What two replicas say to each other by way of relays until they are connected. No relay looks into it.
 *
 * | bytes | message |
 * | --- | --- |
 * | 1, 1, id (8), links (1), a description | an offer: who makes it has so many links |
 * | 1, 2, id (8), passive in DTLS (1), a description | the answer |
 * | 1, 3, id (8) | this one has enough links |
 * | 1, 4, id (8), a description | a link that is there is to find another way: this side's new credentials and addresses |
 * | 1, 5, id (8), passive in DTLS (1), a description | the answer to that |
 *
 * The first byte is the version; descriptions are those of invitations, see `description.ts`.
 */
import { Reader, Writer, type Bytes } from "./bytes.js";
import { pack, unpack, type Description, type Setup } from "./description.js";

export type PeerSignal =
  | { kind: "offer"; id: Bytes; links: number; description: Description }
  | { kind: "answer"; id: Bytes; setup: Setup; description: Description }
  | { kind: "full"; id: Bytes }
  | { kind: "restart"; id: Bytes; description: Description }
  | { kind: "restarted"; id: Bytes; setup: Setup; description: Description };

const VERSION = 1;
const OFFER = 1;
const ANSWER = 2;
const FULL = 3;
const RESTART = 4;
const RESTARTED = 5;
const ID_BYTES = 8;

export function freshId(): Bytes {
  return crypto.getRandomValues(new Uint8Array(ID_BYTES));
}

export function write(signal: PeerSignal): Uint8Array {
  const to = new Writer();
  to.byte(VERSION);
  to.byte({ offer: OFFER, answer: ANSWER, full: FULL, restart: RESTART, restarted: RESTARTED }[signal.kind]);
  to.bytes(signal.id);
  if (signal.kind === "offer") to.byte(Math.min(signal.links, 255));
  if (signal.kind === "answer" || signal.kind === "restarted") to.byte(signal.setup === "passive" ? 1 : 0);
  if (signal.kind !== "full") pack(signal.description, to);
  return to.done();
}

/** The message in these bytes; undefined where they are none that this version knows. */
export function read(bytes: Uint8Array): PeerSignal | undefined {
  try {
    const from = new Reader(bytes);
    if (from.byte() !== VERSION) return undefined;
    const kind = from.byte();
    const id = from.bytes(ID_BYTES);
    if (kind === FULL) return { kind: "full", id };
    const number = kind === RESTART ? 0 : from.byte();
    const description = unpack(from);
    if (description === undefined || !from.isAtEnd) return undefined;
    if (kind === OFFER) return { kind: "offer", id, links: number, description };
    const setup = number === 1 ? "passive" : "active";
    if (kind === ANSWER) return { kind: "answer", id, setup, description };
    if (kind === RESTART) return { kind: "restart", id, description };
    if (kind === RESTARTED) return { kind: "restarted", id, setup, description };
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
