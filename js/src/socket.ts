/** WebSockets for Node 20, from the `ws` package, made to behave as the platform's own. */
import { WebSocket as NodeSocket } from "ws";

export function openSocket(url: string, protocol: string): WebSocket {
  const socket = new NodeSocket(url, protocol);
  socket.binaryType = "arraybuffer";
  return socket as unknown as WebSocket;
}
