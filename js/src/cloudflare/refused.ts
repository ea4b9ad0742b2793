/** How the Worker refuses a connection: it opens it, says why and closes it. A page could not read an HTTP status. */

import { PROTOCOL } from "./object.js";
import { closeSocket, shortened } from "./close.js";
import { countClosed, counters } from "./metrics.js";

/** Why somebody may not come in. The message goes to the client and contains no part of the token. */
export class Refused extends Error {
  constructor(
    /** A close code of the protocol. */
    readonly code: number,
    reason: string,
  ) {
    super(reason);
  }
}

export function refuse({ code, message }: Refused): Response {
  const { 0: client, 1: socket } = new WebSocketPair();
  socket.accept();
  counters.accepted += 1;
  socket.send(bye(code, message));
  closeSocket(socket, code, message);
  countClosed(code);
  const headers = { "sec-websocket-protocol": PROTOCOL };
  return new Response(null, { status: 101, webSocket: client, headers } as ResponseInit);
}

/** The frame Bye of the protocol: the CBOR array of its type and a map of code and reason. */
function bye(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(shortened(reason));
  return Uint8Array.of(0x82, 12, 0xa2, 0, 0x19, code >> 8, code & 0xff, 1, 0x78, text.length, ...text);
}
