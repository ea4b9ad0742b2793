/** WebSockets of the `ws` package as the connections of relays. */
import { WebSocket } from "ws";
import { offer, PROTOCOL } from "../access/admission.js";
import { shortened } from "../access/refused.js";
import type { HostSocket } from "../host/relay.js";

/** The same as in the protocol. */
export const FRAME_BYTES_MAX = 256 * 1024;
const DIAL_MS = 10_000;
/** How long the other side has to answer a close. */
const CLOSE_MS = 2_000;

/** A socket that is open. What comes before anybody listens waits. */
export function hostSocket(socket: WebSocket): HostSocket {
  socket.binaryType = "nodebuffer";
  const early: (Uint8Array | string)[] = [];
  let onMessage: ((message: Uint8Array | string) => void) | undefined;
  let isOver = false;
  const ours: HostSocket = {
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(message);
    },
    close: (code, reason) => {
      isOver = true;
      socket.close(code, shortened(reason));
      setTimeout(() => socket.terminate(), CLOSE_MS).unref();
    },
    get onMessage() {
      return onMessage ?? (() => undefined);
    },
    set onMessage(listener) {
      onMessage = listener;
      for (const message of early.splice(0)) listener(message);
    },
    onClose: () => undefined,
  };
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (isOver) return;
    const message = isBinary ? data : data.toString();
    if (onMessage === undefined) early.push(message);
    else onMessage(message);
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    if (!isOver) ours.onClose();
  });
  return ours;
}

/** Opens a connection to the relay of another region. */
export function dialRelay(url: string, space: string, token: string | undefined): Promise<HostSocket> {
  const protocols = offer(token).split(", ");
  const socket = new WebSocket(`${url}/v1/${encodeURIComponent(space)}`, protocols, {
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    handshakeTimeout: DIAL_MS,
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("open", () => {
      if (socket.protocol === PROTOCOL) return resolve(hostSocket(socket));
      socket.terminate();
      reject(new Error("it speaks another protocol"));
    });
  });
}
