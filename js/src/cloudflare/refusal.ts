/** How the Worker refuses a connection: it opens it, says why and closes it. A page could not read an HTTP status. */

import { PROTOCOL } from "../access/admission.js";
import { bye, type Refused } from "../access/refused.js";
import { closeSocket } from "./close.js";
import { countClosed, counters } from "../host/metrics.js";

/**
 * A WebSocket that was refused holds some 50 kB of an isolate until it collects its garbage, and nothing hurries that. So
 * this many are refused in a second, and as many more at once where there were few before.
 */
const REFUSED_PER_SECOND = 100;

let allowance = REFUSED_PER_SECOND;
let allowedAt = 0;

function mayOpen(now: number): boolean {
  allowance = Math.min(REFUSED_PER_SECOND, allowance + ((now - allowedAt) / 1000) * REFUSED_PER_SECOND);
  allowedAt = now;
  if (allowance < 1) return false;
  allowance -= 1;
  return true;
}

export function refuse({ code, message }: Refused): Response {
  if (!mayOpen(Date.now())) {
    // Clients take this for a relay that can't be reached, and come again later.
    return new Response("too many connections are refused now; come again\n", {
      status: 429,
      headers: { "retry-after": "1" },
    });
  }
  const { 0: client, 1: socket } = new WebSocketPair();
  socket.accept();
  counters.accepted += 1;
  socket.send(bye(code, message));
  closeSocket(socket, code, message);
  countClosed(code);
  const headers = { "sec-websocket-protocol": PROTOCOL };
  return new Response(null, { status: 101, webSocket: client, headers } as ResponseInit);
}
