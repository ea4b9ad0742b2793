/** What lets a replica in, and what happens where there is nothing that does. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EyotError, memory, openSpace, type Space, type SpaceOptions, type Status } from "./eyot.js";
import { Listener } from "./listener.js";
import type { RelayContext } from "../src/relays/context.js";
import { Tokens } from "../src/relays/tokens.js";

describe("a token", () => {
  it("that is none does not open a space, and is not repeated", async () => {
    for (const token of ["", 1, null, "secret".repeat(2_000)]) {
      await assert.rejects(openSpace("test", { token: token as never }), (error) => {
        assert.ok(error instanceof EyotError);
        assert.equal(error.code, "invalid");
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
  });

  it("greets the relay", () =>
    inSpace("token of Ada", async (_, listener) => {
      const { path, hello } = await listener.dial();
      assert.ok((await hello).includes("token of Ada"));
      assert.doesNotMatch(path, /token/);
    }));

  it("is offered in the handshake where it is a JWT, beside the protocol, which alone is selected", () =>
    inSpace("eyJh.eyJz.c2ln-_", async (_, listener) => {
      const { socket, protocols } = await listener.dial();
      assert.equal(protocols, "eyot.v1,eyot.token.eyJh.eyJz.c2ln-_");
      assert.equal(socket.protocol, "eyot.v1");
    }));

  it("is asked for afresh whenever a link opens", () => {
    let asked = 0;
    return inSpace(
      async () => `token ${++asked}`,
      async (_, listener) => {
        for (const token of ["token 1", "token 2"]) {
          const { hello, socket } = await listener.dial();
          assert.ok((await hello).includes(token));
          socket.close();
        }
      },
    );
  });

  it("that cannot be had is told of, and asked for again", () => {
    const cause = new Error("sign in first");
    let fails = true;
    return inSpace(
      () => {
        if (fails) throw cause;
        return "token of Ada";
      },
      async (space, listener) => {
        const { error } = await until(space, ({ error }) => error !== undefined);
        assert.equal(error?.code, "denied");
        assert.match(error.message, /sign in first/);
        assert.equal(error.cause, cause);
        fails = false;
        for (let greeted = false; !greeted;) {
          const { hello, socket } = await listener.dial();
          const closed = new Promise<false>((resolve) => socket.once("close", () => resolve(false)));
          greeted = await Promise.race([closed, hello.then((frame) => frame.includes("token of Ada"))]);
        }
        // It is still so that there is no link: nobody greets here.
        assert.match(space.status.error!.message, /no link to the relay .*: there is no token/);
      },
    );
  });

  const bad: [string, () => unknown, RegExp][] = [
    ["undefined", () => undefined, /a token is a string, not undefined/],
    ["empty", () => "", /a token is not empty/],
    ["too long", async () => "x".repeat(9_000), /at most 8192 bytes/],
    ["half a character", () => "\ud83d", /well-formed/],
    ["an object", async () => ({ token: "x" }), /a token is a string, not an object/],
    ["a thrown string", () => thrown("sign in first"), /sign in first/],
    ["a thrown object that has no text", () => thrown(Object.create(null)), /unknown error/],
    ["a rejection with nothing", () => Promise.reject(), /undefined/],
    ["a thenable that throws", () => ({ then: () => thrown(new Error("no")) }), /no/],
  ];
  for (const [what, token, message] of bad) {
    it(`that is ${what} is told of`, () =>
      inSpace(token as () => string, async (space) => {
        const { error } = await until(space, ({ error }) => error !== undefined);
        assert.equal(error?.code, "denied");
        assert.match(error.message, message);
        assert.equal(space.create({ n: 1 }).value.n, 1);
      }));
  }

  it("that never comes is told of, and the function is asked again", async () => {
    let asked = 0;
    let changes = 0;
    const tokens = new Tokens(
      () => (++asked === 1 ? new Promise<never>(() => undefined) : "token of Ada"),
      { run: () => assert.fail("no engine here"), changed: () => (changes += 1) } as RelayContext,
      1,
    );
    await assert.rejects(tokens.ask(), { code: "timeout" });
    assert.equal(tokens.error?.code, "denied");
    assert.match(tokens.error.message, /has not answered in time/);
    assert.equal(await tokens.ask(), "token of Ada");
    assert.equal(tokens.error, undefined);
    assert.equal(changes, 2);
    tokens.end();
  });

  it("that comes when its link has gone is for the next, and nobody is asked twice at once", () => {
    let asked = 0;
    let give: (token: string) => void = () => undefined;
    let heard: () => void = () => undefined;
    const asking = new Promise<void>((resolve) => (heard = resolve));
    return inSpace(
      () => {
        asked += 1;
        heard();
        return new Promise((resolve) => (give = resolve));
      },
      async (space, listener) => {
        await asking;
        space.setOnline(false);
        space.setOnline(true);
        give("token of Ada");
        const { hello } = await listener.dial();
        assert.ok((await hello).includes("token of Ada"));
        assert.equal(asked, 1);
      },
    );
  });
});

async function inSpace(
  token: SpaceOptions["token"],
  test: (space: Space, listener: Listener) => Promise<void>,
): Promise<void> {
  const listener = await Listener.start();
  const space = await openSpace("test", { storage: memory(), relays: [listener.address], token });
  try {
    await test(space, listener);
  } finally {
    await space.close();
    await listener.stop();
  }
}

function until(space: Space, is: (status: Status) => boolean): Promise<Status> {
  return new Promise((resolve) => {
    const look = (status: Status) => is(status) && (stop(), resolve(status));
    const stop = space.subscribe(look);
    look(space.status);
  });
}

function thrown(error: unknown): never {
  throw error;
}
