/**
 * What is said on a channel to somebody whom a relay has introduced, before the link begins: each side shows its ticket,
 * and signs the certificates of both ends with its key. So nobody can show a ticket that was given to another, and nobody
 * can stand between.
 */
import { CLOSE_DENIED, CLOSE_OUT_OF_ORDER } from "../base/close-codes.js";
import { EyotError } from "../base/error.js";
import type { Bytes } from "./bytes.js";
import type { Channel, ChannelListener } from "./channel.js";
import { isSigned, type Identity } from "./identity.js";
import { accepted, bye, isAccepted, NOBODY, read, readShown, show } from "./messages.js";
import { readTicket, Refusal, rightOf, type TicketFor } from "./ticket.js";

/** A channel that one after the other can listen to. */
export type NewChannel = Pick<Channel, "send"> & { listen(listener: ChannelListener | undefined): void };

/** What this side has to show, and whom it expects. */
export interface Meeting extends Omit<TicketFor, "own" | "now"> {
  readonly identity: Identity;
  /** This side's ticket. */
  readonly ticket: Bytes;
  /** SHA-256 of the certificates of both ends of the channel. */
  readonly fingerprints: { readonly own: Uint8Array; readonly theirs: Uint8Array };
}

/**
 * Resolves with what the other side may do here, once both have let each other in. Rejects where one has not, with the
 * `Refusal` that both sides know then; the channel is to be closed.
 */
export async function introduce(channel: NewChannel, meeting: Meeting): Promise<"read" | "write"> {
  const { identity, ticket, fingerprints } = meeting;
  const proof = await identity.sign(toSign(ticket, fingerprints.own, fingerprints.theirs));
  channel.send(show(ticket, proof));
  try {
    const right = await judge(await next(channel), meeting);
    channel.send(accepted());
    if (!isAccepted(await next(channel))) throw new Refusal(CLOSE_OUT_OF_ORDER, "this ticket was not looked at");
    return right;
  } catch (error) {
    if (error instanceof Refusal && !error.isTheirs) channel.send(bye(NOBODY, error.code, error.message));
    throw error;
  }
}

async function judge(message: Uint8Array, meeting: Meeting): Promise<"read" | "write"> {
  const shown = readShown(message);
  if (shown === undefined) throw new Refusal(CLOSE_OUT_OF_ORDER, "no ticket was shown");
  const { identity, theirs, fingerprints } = meeting;
  const right = await rightOf(readTicket(shown.ticket), { ...meeting, own: identity.key, now: Date.now() });
  const signed = toSign(shown.ticket, fingerprints.theirs, fingerprints.own);
  if (!(await isSigned(theirs, signed, shown.proof))) {
    throw new Refusal(CLOSE_DENIED, "this ticket was given to somebody else");
  }
  return right;
}

/** The next message. Where it is a Bye the other side has refused this one. */
function next(channel: NewChannel): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    channel.listen({
      message: (bytes) => {
        // What follows is for whoever listens next.
        channel.listen(undefined);
        const message = read(bytes);
        if (message?.kind === "bye") reject(new Refusal(message.code, message.reason, true));
        else resolve(bytes);
      },
      closed: () => reject(new EyotError("unavailable", "the other side has closed the connection")),
    });
  });
}

function toSign(ticket: Uint8Array, own: Uint8Array, theirs: Uint8Array): Bytes {
  return new Uint8Array([...new TextEncoder().encode("eyot peer"), ...own, ...theirs, ...ticket]);
}
