/** Where a space finds its relays: in a list, or in a directory that real requests are made to. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { EyotError, memory, openSpace, type Space, type SpaceOptions, type Status } from "./eyot.js";
import { Listener } from "./listener.js";

const NOBODY = "ws://127.0.0.1:9";

describe("a relay's address", () => {
  for (const [what, relays] of [
    ["is no path", ["/v1"]],
    ["is no host", ["relay.example"]],
    ["is not of the web", ["https://relay.example"]],
    ["holds no credentials", ["wss://ada:secret@relay.example"]],
    ["holds no query", ["wss://relay.example?token=secret"]],
    ["holds no fragment", ["wss://relay.example#secret"]],
    ["holds no blanks", ["wss://relay.example /x"]],
    ["has a host", ["wss://"]],
    ["is text", [1]],
    ["is in a list", "wss://relay.example"],
    ["or of a directory is no path", { directory: "/v1/regions" }],
    ["or of a directory is of the web", { directory: "wss://relay.example" }],
    ["or of a directory holds no credentials", { directory: "https://ada:secret@relay.example" }],
    ["or of a directory is text", { directory: 1 }],
    ["or of a directory is something", null],
  ] as const) {
    it(`${what}, or the space is not opened`, async () => {
      await assert.rejects(openSpace("test", { relays: relays as never }), (error) => {
        assert.ok(error instanceof EyotError);
        assert.equal(error.code, "invalid");
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  }

  it("may have a port, a path and capitals", async () => {
    const space = await openSpace("test", { storage: memory(), relays: [`WS://127.0.0.1:9/base/`] });
    await space.close();
  });
});

describe("of several relays", () => {
  const unhealthy: [string, RequestListener][] = [
    ["says that it is not", (_, response) => void response.writeHead(503).end()],
    ["does not say", () => undefined],
    ["hangs up", (request) => request.socket.destroy()],
  ];
  for (const [what, health] of unhealthy) {
    it(`one that is healthy is dialled before one that ${what}`, () =>
      between(async (first, second) => {
        first.health = health;
        const healthy = new Promise<string | undefined>((resolve) => {
          second.health = ({ method, url }, response) => (resolve(`${method} ${url}`), response.end());
        });
        const space = await openSpace("test", { relays: [first.address, `${second.address}/base/`] });
        try {
          assert.equal((await second.dial()).path, "/base/v1/test");
          assert.equal(await healthy, "GET /base/health");
        } finally {
          await space.close();
        }
      }));
  }

  it("none is asked any more once the space is closed", () =>
    between(async (first, second) => {
      const asked = [first, second].map(
        (listener) => new Promise<IncomingMessage>((resolve) => (listener.health = (request) => resolve(request))),
      );
      const space = await openSpace("test", { relays: [first.address, second.address] });
      const requests = await Promise.all(asked);
      const over = requests.map(({ socket }) => once(socket, "close"));
      await space.close();
      await Promise.all(over);
    }));
});

describe("a directory of relays", () => {
  it("tells a space whom to dial", () =>
    inDirectory(async (directory, listener) => {
      directory.answer = list(listener.address);
      await inSpace(directory, async () => assert.equal((await listener.dial()).path, "/v1/test"));
    }));

  it("keeps no space from being opened, and what waits for relays waits", () =>
    inDirectory(async (directory) => {
      const asked = once(directory.server, "request");
      directory.answer = () => undefined;
      await inSpace(directory, async (space) => {
        await asked;
        assert.equal(space.status.state, "connecting");
        const commit = space.create({ n: 0 }).change((draft) => void (draft.n = 1));
        for (const wait of [
          space.synced({ timeout: 5 }),
          space.durable({ timeout: 5 }),
          space.fresh({ regions: 2, timeout: 5 }),
          commit.durable({ timeout: 5 }),
          space.open("38zjcvr4JvfPhzzhEqjzZqv8vVsn", { timeout: 5 }),
        ]) {
          await assert.rejects(wait, coded("timeout"));
        }
        const closed = assert.rejects(space.durable(), coded("closed"));
        await space.close();
        await closed;
      });
    }));

  it("that is not there is asked again once it is", () =>
    inDirectory(async (directory, listener) => {
      await directory.stop();
      await inSpace(directory, async (space) => {
        await until(space, ({ state }) => state === "offline");
        assert.equal(space.status.error?.code, "unavailable");
        directory.answer = list(listener.address);
        await directory.start();
        await listener.dial();
      });
    }));

  it("is asked again when the relays it listed cannot be reached", () =>
    inDirectory(async (directory, listener) => {
      directory.answer = list(NOBODY);
      await inSpace(directory, async (space) => {
        await until(space, ({ state }) => state === "offline");
        directory.answer = list(listener.address);
        await listener.dial();
      });
    }));

  it("is left alone while the application is offline, and asked at once when it is back", () =>
    inDirectory(async (directory, listener) => {
      directory.answer = (_, response) => response.writeHead(500).end();
      await inSpace(directory, async (space) => {
        await until(space, ({ state, error }) => state === "offline" && error !== undefined);
        space.setOnline(false);
        assert.equal(space.status.state, "offline");
        directory.answer = list(listener.address);
        space.setOnline(true);
        await listener.dial();
      });
    }));
});

describe("a directory that", { concurrency: true }, () => {
  const bad: [string, RequestListener, EyotError["code"]][] = [
    ["fails", (_, response) => response.writeHead(500).end("no"), "invalid"],
    ["hangs up", (request) => request.socket.destroy(), "unavailable"],
    ["never answers", () => undefined, "unavailable"],
    ["never ends its answer", (_, response) => response.writeHead(200).write("["), "unavailable"],
    ["answers with more than a list", (_, response) => response.end(" ".repeat(1_000_000)), "invalid"],
    ["answers with a page", (_, response) => response.end("<!doctype html>"), "invalid"],
    ["answers with no list", (_, response) => response.end('{"url":"ws://relay.example"}'), "invalid"],
    ["lists nothing", list(), "invalid"],
    ["lists too many", list(...Array.from({ length: 65 }, () => NOBODY)), "invalid"],
    ["lists what is no relay", list("https://relay.example"), "invalid"],
    ["lists what is no address", (_, response) => response.end("[null]"), "invalid"],
    ["lists one with a query", list("wss://relay.example?token=x"), "invalid"],
  ];
  for (const [what, answer, code] of bad) {
    it(`${what} is asked again`, () =>
      inDirectory(async (directory, listener) => {
        directory.answer = answer;
        await inSpace(directory, async (space) => {
          await until(space, ({ state }) => state === "offline");
          assert.equal(space.status.error?.code, code);
          directory.answer = list(listener.address);
          await listener.dial();
          // Nobody greets there, which may be told of by now.
          assert.doesNotMatch(space.status.error?.message ?? "", /directory/);
        });
      }));
  }
});

async function between(test: (first: Listener, second: Listener) => Promise<void>): Promise<void> {
  const [first, second] = [await Listener.start(), await Listener.start()];
  try {
    await test(first, second);
  } finally {
    await first.stop();
    await second.stop();
  }
}

/** A directory, and a host that it can name. */
async function inDirectory(test: (directory: Directory, listener: Listener) => Promise<void>): Promise<void> {
  const listener = await Listener.start();
  const directory = new Directory();
  await directory.start();
  try {
    await test(directory, listener);
  } finally {
    await directory.stop();
    await listener.stop();
  }
}

class Directory {
  answer: RequestListener = () => undefined;
  server: Server = createServer();
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}/v1/regions`;
  }

  async start(): Promise<void> {
    this.server = createServer((request, response) => this.answer(request, response));
    this.server.listen(this.#port, "127.0.0.1");
    await once(this.server, "listening");
    this.#port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    if (this.server.listening) await once(this.server, "close");
  }
}

function list(...addresses: string[]): RequestListener {
  return (_, response) => void response.end(JSON.stringify(addresses.map((url) => ({ region: "eu", url }))));
}

async function inSpace(directory: Directory, test: (space: Space) => Promise<void>): Promise<void> {
  const options: SpaceOptions = { storage: memory(), relays: { directory: directory.url } };
  const space = await openSpace("test", options);
  try {
    await test(space);
  } finally {
    await space.close();
  }
}

function until(space: Space, is: (status: Status) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (status: Status) => is(status) && (stop(), resolve());
    const stop = space.subscribe(look);
    look(space.status);
  });
}

function coded(code: EyotError["code"]): (error: unknown) => boolean {
  return (error) => error instanceof EyotError && error.code === code;
}
