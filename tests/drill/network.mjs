// Distance: a TCP proxy before a relay whose bytes take their time in each direction.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Everything sent to the address it gives arrives at the port after that delay, and so does what comes back. */
export async function distance({ port, delayMs }) {
  const sockets = new Set();
  const server = createServer((client) => {
    const relay = connect({ port, host: "127.0.0.1", noDelay: true });
    client.setNoDelay(true);
    for (const [from, to] of [
      [client, relay],
      [relay, client],
    ]) {
      sockets.add(from);
      // Timers of one duration ring in the order they were set, so bytes stay in order and the end comes last.
      from.on("data", (data) => setTimeout(() => to.writable && to.write(data), delayMs));
      from.on("error", () => from.destroy());
      from.on("close", () => {
        sockets.delete(from);
        setTimeout(() => to.destroy(), delayMs);
      });
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
