/** A WebSocket proxy before a relay that can hold back what the relay sends, frame by frame. */
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";

export async function startGate(relayUrl) {
  const held = [];
  let isHolding = false;
  let client;
  let looked = () => undefined;
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", async (replica, { url }) => {
    client = replica;
    const relay = new WebSocket(relayUrl + url, "eyot.v1");
    const opened = once(relay, "open");
    replica.on("message", async (frame) => {
      await opened;
      relay.send(frame);
    });
    relay.on("message", (frame) => {
      if (!isHolding) return replica.send(frame);
      held.push(frame);
      looked();
    });
    replica.on("close", () => relay.close());
    relay.on("close", () => replica.close());
  });
  await once(server, "listening");
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    hold() {
      isHolding = true;
    },
    /** Lets through all that was held, and all that comes. */
    open() {
      isHolding = false;
      for (const frame of held.splice(0)) client.send(frame);
    },
    /** Resolves once a frame that contains these bytes is held. */
    async holds(bytes) {
      while (!held.some((frame) => frame.includes(bytes))) await new Promise((resolve) => (looked = resolve));
    },
    /** Lets through what is held, up to the frame that contains these bytes. */
    releaseTo(bytes) {
      const last = held.findIndex((frame) => frame.includes(bytes));
      for (const frame of held.splice(0, last + 1)) client.send(frame);
    },
    close() {
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
  };
}
