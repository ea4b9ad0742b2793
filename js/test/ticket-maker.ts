/** Tickets as the core writes them and relays sign them. */
import { sha256 } from "@noble/hashes/sha256";
import type { Bytes } from "../src/peers/bytes.js";
import type { Identity } from "../src/peers/identity.js";
import { compare } from "../src/peers/messages.js";

export type TicketEnd = readonly [key: Uint8Array, right: "read" | "write"];

export async function makeTicket(
  by: Identity,
  space: string,
  ends: readonly TicketEnd[],
  expiresAt: number,
): Promise<Bytes> {
  const sorted = [...ends].sort(([one], [other]) => compare(one, other));
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(expiresAt));
  const ofEnds = sorted.flatMap(([key, right]) => [...key, right === "write" ? 1 : 0]);
  const body = [1, ...sha256(`eyot ticket${space}`), ...ofEnds, ...time];
  const signature = await by.sign(new Uint8Array([...new TextEncoder().encode("eyot ticket"), ...body]));
  return new Uint8Array([...body, ...signature]);
}
