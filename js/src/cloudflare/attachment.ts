/** What a connection remembers while its object is asleep and has lost its memory. */

import type { Socket } from "./platform.js";

export interface Attachment {
  link: number;
  /** When the connection's token expires, in milliseconds since 1970. */
  expiresAt: number;
  /** When the connection's token was issued, if it says so. */
  issuedAt?: number | undefined;
  /** The core's part. Empty until the link can be resumed. */
  state: Uint8Array;
}

export function readAttachment(socket: Socket): Attachment {
  return socket.deserializeAttachment() as Attachment;
}

export function writeAttachment(socket: Socket, attachment: Attachment): void {
  socket.serializeAttachment(attachment);
}
