// A TCP proxy before a relay that counts what passes, WebSocket framing included, and can be cut.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export async function countingProxy(port) {
  const bytes = { sent: 0, received: 0 };
  const sockets = new Set();
  let isCut = false;
  const server = createServer((client) => {
    if (isCut) return client.destroy();
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
  const drop = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    bytes,
    /** The network is gone until it is mended. */
    cut() {
      isCut = true;
      drop();
    },
    mend() {
      isCut = false;
    },
    close() {
      server.close();
      drop();
    },
  };
}
