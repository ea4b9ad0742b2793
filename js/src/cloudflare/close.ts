/** Closes sockets. */

import type { Socket } from "./platform.js";

/** Limit of WebSocket for a close reason. */
const REASON_BYTES_MAX = 123;

export function closeSocket(socket: Socket, code: number, reason: string): void {
  try {
    socket.close(code, shortened(reason));
  } catch {
    // The socket was closed already.
  }
}

/** A reason that fits into a close frame. */
export function shortened(reason: string): string {
  let text = reason;
  while (new TextEncoder().encode(text).length > REASON_BYTES_MAX) text = text.slice(0, -1);
  return text;
}
