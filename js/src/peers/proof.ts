/** Each side of a new channel proves that it holds the invitation, before anything else is said on it. */
import { EyotError } from "../base/error.js";
import { isSame } from "./bytes.js";
import { proof, readProof } from "./messages.js";
import type { RtcChannel } from "./rtc.js";

/** Sends `own`, and resolves once the other side has sent `theirs`. */
export function prove(channel: RtcChannel, own: Uint8Array, theirs: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.listen({
      message: (bytes) => {
        // What follows is for whoever listens next.
        channel.listen(undefined);
        const given = readProof(bytes);
        if (given !== undefined && isSame(given, theirs)) resolve();
        else reject(new EyotError("denied", "the other side does not hold this invitation"));
      },
      closed: () => reject(new EyotError("unavailable", "the other side has closed the connection")),
    });
    channel.send(proof(own));
  });
}
