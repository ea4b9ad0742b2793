/** WebSockets for Node 20, which has no `WebSocket` class: those of the `ws` package. */
import { WebSocket as NodeSocket } from "ws";

export function openSocket(url: string, protocols: string[]): WebSocket {
  // `ws` compresses by default. That takes most of a busy replica's time and gains little: commits are small or
  // compressed already.
  const socket = new NodeSocket(url, protocols, { perMessageDeflate: false });
  socket.binaryType = "arraybuffer";
  return socket as unknown as WebSocket;
}
