/** Relays that can't be reached, or don't answer: real sockets, and what a space says of them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { WebSocketServer } from "ws";
import { EyotError, memory, openSpace, type Space, type Status } from "./eyot.js";

interface Host {
  url: string;
  stop?: () => Promise<void>;
}

describe("a relay", { concurrency: true }, () => {
  const cases: [what: string, start: () => Promise<Host>, code: EyotError["code"], message: RegExp][] = [
    ["at a closed port", closedPort, "unavailable", /no link to the relay ws:.*ECONNREFUSED/],
    [
      "whose name nobody knows",
      nobody,
      "unavailable",
      /no link to the relay ws:\/\/nobody\.invalid: .*(ENOTFOUND|EAI_AGAIN)/,
    ],
    [
      "that speaks no TLS",
      () => tcp("wss", (socket) => socket.end("no\n")),
      "unavailable",
      /no link to the relay wss:/,
    ],
    ["that never answers", () => tcp("ws", () => undefined), "unavailable", /no greeting within 3 seconds/],
    ["that hangs up", () => tcp("ws", (socket) => socket.destroy()), "unavailable", /no link to the relay .*hang up/],
    ["that is some web server", webServer, "unavailable", /no link to the relay .*404/],
    ["that never greets", () => webSocket(), "unavailable", /no greeting within 3 seconds/],
    ["that closes at once", () => webSocket(1000), "unavailable", /it was closed with code 1000/],
    ["that closes with a code of its own", () => webSocket(4999, "tired"), "unavailable", /no link .*: tired/],
    ["whose storage has failed", () => webSocket(4008), "unavailable", /it was closed with code 4008/],
    ["that closes as denied", () => webSocket(4004, "not you"), "denied", /^not you$/],
    ["that closes as expired", () => webSocket(4010, "too old"), "expired", /^too old$/],
    ["that closes as incompatible", () => webSocket(4003, "other options"), "incompatible", /^other options$/],
  ];
  for (const [what, start, code, message] of cases) {
    it(`${what} is told of, and waits that end by their timeout say so`, async () => {
      const host = await start();
      const space = await openSpace("test", { storage: memory(), relays: [host.url] });
      try {
        const commit = space.create({ n: 0 }).change((draft) => void (draft.n = 1));
        const { error } = await until(space, ({ error }) => error !== undefined);
        assert.equal(error?.code, code);
        assert.match(error.message, message);
        for (const wait of [
          space.synced({ timeout: 5 }),
          space.durable({ timeout: 5 }),
          space.fresh({ regions: 1, timeout: 5 }),
          commit.durable({ timeout: 5 }),
          space.open("38zjcvr4JvfPhzzhEqjzZqv8vVsn", { timeout: 5 }),
        ]) {
          await assert.rejects(wait, (late) => {
            assert.ok(late instanceof EyotError && late.code === "timeout", String(late));
            assert.ok(late.message.endsWith(error.message), late.message);
            assert.equal(late.cause, space.status.error);
            return true;
          });
        }
      } finally {
        await space.close();
        await host.stop?.();
      }
    });
  }
});

it("a wait that ends before anything is known of the relay says that", async () => {
  const host = await tcp("ws", () => undefined);
  const space = await openSpace("test", { storage: memory(), relays: [host.url] });
  try {
    await assert.rejects(space.synced({ timeout: 5 }), /not done after 5 ms: no relay has answered yet/);
    space.setOnline(false);
    await assert.rejects(space.synced({ timeout: 5 }), /not done after 5 ms: this space is offline/);
    assert.equal(space.status.error, undefined);
  } finally {
    await space.close();
    await host.stop?.();
  }
});

async function closedPort(): Promise<Host> {
  const { url, stop } = await tcp("ws", () => undefined);
  await stop?.();
  return { url };
}

async function nobody(): Promise<Host> {
  return { url: "ws://nobody.invalid" };
}

/** A server that does this with each connection. */
async function tcp(scheme: "ws" | "wss", take: (socket: Socket) => unknown): Promise<Host> {
  const server = createServer(take);
  return started(server, scheme);
}

async function webServer(): Promise<Host> {
  const server = createHttpServer((_, response) => void response.writeHead(404).end());
  return started(server, "ws");
}

/** A server of WebSockets that closes each with this code, or does nothing. */
async function webSocket(code?: number, reason?: string): Promise<Host> {
  const server = createHttpServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => (code === undefined ? undefined : socket.close(code, reason)));
  return started(server, "ws");
}

async function started(server: Server, scheme: "ws" | "wss"): Promise<Host> {
  const connections = new Set<Socket>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => connections.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    const closed = once(server, "close");
    server.close();
    for (const connection of connections) connection.destroy();
    await closed;
  };
  return { url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

function until(space: Space, is: (status: Status) => boolean): Promise<Status> {
  return new Promise((resolve) => {
    const look = (status: Status) => is(status) && (stop(), resolve(status));
    const stop = space.subscribe(look);
    look(space.status);
  });
}
