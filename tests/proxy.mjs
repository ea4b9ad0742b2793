// A TCP proxy before a relay that counts what passes, WebSocket framing included.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export async function countingProxy(port) {
  const bytes = { sent: 0, received: 0 };
  const sockets = new Set();
  const server = createServer((client) => {
    const relay = connect({ port, host: "127.0.0.1", noDelay: true });
    client.setNoDelay(true);
    client.on("data", (data) => (bytes.sent += data.length)).pipe(relay);
    relay.on("data", (data) => (bytes.received += data.length)).pipe(client);
    for (const socket of [client, relay]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    bytes,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
