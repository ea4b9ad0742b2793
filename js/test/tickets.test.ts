/** Two replicas whom a relay has introduced show each other their tickets: who is let in, and who is not, and why. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Bytes } from "../src/peers/bytes.js";
import type { ChannelListener } from "../src/peers/channel.js";
import { Identity, isSigned } from "../src/peers/identity.js";
import { introduce, type Meeting, type NewChannel } from "../src/peers/introduction.js";
import { hello } from "../src/peers/messages.js";
import { Refusal } from "../src/peers/ticket.js";
import { makeTicket, type TicketEnd } from "./ticket-maker.js";

const SPACE = "notes";
const [here, there, relay, stranger] = (await Promise.all([1, 2, 3, 4].map(() => Identity.make()))) as [
  Identity,
  Identity,
  Identity,
  Identity,
];
const FINGERPRINTS = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const;

interface Made {
  space?: string;
  ends?: readonly TicketEnd[];
  expiresAt?: number;
  by?: Identity;
}

function ticketOf({ space = SPACE, ends, expiresAt = Date.now() + 60_000, by = relay }: Made = {}): Promise<Bytes> {
  return makeTicket(by, space, ends ?? [[here.key, "write"] as const, [there.key, "write"] as const], expiresAt);
}

type End = NewChannel & { peer?: End; receive(message: Uint8Array): void };

/** Both ends of a channel. */
function channels(): [End, End] {
  const end = (): End => {
    const came: Uint8Array[] = [];
    let listener: ChannelListener | undefined;
    const made: End = {
      listen(next) {
        listener = next;
        while (listener !== undefined && came.length > 0) listener.message(came.shift()!);
      },
      receive(message) {
        if (listener === undefined) came.push(message);
        else listener.message(message);
      },
      send: (message) => queueMicrotask(() => made.peer!.receive(message)),
    };
    return made;
  };
  const [one, other] = [end(), end()];
  one.peer = other;
  other.peer = one;
  return [one, other];
}

const isRelays = (bytes: Uint8Array<ArrayBuffer>, signature: Uint8Array<ArrayBuffer>) =>
  isSigned(relay.key, bytes, signature);

/** What comes of it at both sides: a right, or the code of a refusal. */
async function meet(change: { ticket?: Made; there?: Partial<Meeting>; here?: Partial<Meeting> } = {}) {
  const [mine, yours] = channels();
  const [own, theirs] = FINGERPRINTS;
  const common = { space: SPACE, isRelays };
  const good = await ticketOf();
  const shown = change.ticket === undefined ? good : await ticketOf(change.ticket);
  const meetings: [NewChannel, Meeting][] = [
    [
      mine,
      { ...common, identity: here, theirs: there.key, ticket: good, fingerprints: { own, theirs }, ...change.here },
    ],
    [
      yours,
      {
        ...common,
        identity: there,
        theirs: here.key,
        ticket: shown,
        fingerprints: { own: theirs, theirs: own },
        ...change.there,
      },
    ],
  ];
  return Promise.all(
    meetings.map(([channel, meeting]) =>
      introduce(channel, meeting).catch((error: unknown) => {
        assert.ok(error instanceof Refusal, String(error));
        return [error.code, error.isTheirs] as const;
      }),
    ),
  );
}

describe("a ticket", () => {
  it("lets both in, each with the right that it names", async () => {
    assert.deepEqual(await meet(), ["write", "write"]);
    const ends = [[here.key, "write"] as const, [there.key, "read"] as const];
    const ticket = await ticketOf({ ends });
    assert.deepEqual(await meet({ here: { ticket }, there: { ticket } }), ["read", "write"]);
  });

  it("that has expired lets in within its grace, where no relay gives a fresh one", async () => {
    const ticket = { expiresAt: Date.now() - 3_600_000 };
    const [graceMs, within] = [7_200_000, await ticketOf(ticket)];
    const [here, there] = [
      { graceMs, ticket: within },
      { graceMs, ticket: within },
    ];
    assert.deepEqual(await meet({ here, there }), ["write", "write"]);
    const [mine, yours] = await meet({ here: { ...here, graceMs: 3_000_000 }, there });
    assert.deepEqual(
      [mine, yours],
      [
        [4010, false],
        [4010, true],
      ],
    );
  });

  const late = Date.now() - 121_000;
  const others = [[stranger.key, "write"] as const, [there.key, "write"] as const];
  const table: [string, number, Parameters<typeof meet>[0]][] = [
    ["a forged one", 4000, { ticket: { by: stranger } }],
    ["one that the other side has made itself", 4000, { ticket: { by: there } }],
    ["one for another space", 4003, { ticket: { space: "other" } }],
    ["one for another pair", 4004, { ticket: { ends: others } }],
    ["one for a pair of one", 4004, { ticket: { ends: [others[1]!, others[1]!] } }],
    ["one that has expired", 4010, { ticket: { expiresAt: late } }],
    ["one that is shown by somebody else", 4004, { there: { identity: stranger } }],
    [
      "one that is shown on another connection",
      4004,
      { there: { fingerprints: { own: new Uint8Array(32).fill(9), theirs: FINGERPRINTS[0] } } },
    ],
  ];
  for (const [what, code, change] of table) {
    it(`is refused at both sides with ${code}: ${what}`, async () => {
      const [mine, yours] = await meet(change);
      assert.deepEqual(mine, [code, false]);
      // It may have found that out by itself.
      assert.equal(yours?.[0], code);
    });
  }

  it("is refused at both sides with 4002: none", async () => {
    const [mine, yours] = channels();
    const [own, theirs] = FINGERPRINTS;
    const told = new Promise<Uint8Array>((resolve) => {
      const messages: Uint8Array[] = [];
      yours.listen({ message: (bytes) => messages.push(bytes) === 2 && resolve(bytes), closed: () => undefined });
    });
    yours.send(hello(new Uint8Array(16)));
    const meeting = { space: SPACE, isRelays, identity: here, theirs: there.key, ticket: await ticketOf() };
    await assert.rejects(introduce(mine, { ...meeting, fingerprints: { own, theirs } }), {
      code: 4002,
      isTheirs: false,
    });
    const bye = await told;
    assert.deepEqual([bye[0], 256 * bye[9]! + bye[10]!], [4, 4002]);
  });

  it("is refused where it was cut or changed anywhere", async () => {
    const ticket = await ticketOf();
    for (let at = 0; at < ticket.length; at += 5) {
      const changed = ticket.slice();
      changed[at]! ^= 1;
      const [mine] = await meet({ there: { ticket: changed } });
      assert.deepEqual(mine, [4000, false], `byte ${at}`);
    }
    const cut = ticket.slice(0, -1);
    assert.deepEqual(await meet({ there: { ticket: cut } }), [
      [4002, false],
      [4002, true],
    ]);
  });
});
