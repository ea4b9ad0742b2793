/** Closes sockets. */

import { shortened } from "../access/refused.js";
import type { Socket } from "./platform.js";

export function closeSocket(socket: Socket, code: number, reason: string): void {
  try {
    socket.close(code, shortened(reason));
  } catch {
    // The socket was closed already.
  }
}
