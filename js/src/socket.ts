/** WebSockets for Node 20, from the `ws` package, made to behave as the platform's own. */
import { WebSocket as NodeSocket } from "ws";

export function openSocket(url: string, protocol: string): WebSocket {
  // It would compress by default, which takes most of a busy replica's time, and commits are small or compressed.
  const socket = new NodeSocket(url, protocol, { perMessageDeflate: false });
  socket.binaryType = "arraybuffer";
  return socket as unknown as WebSocket;
}
