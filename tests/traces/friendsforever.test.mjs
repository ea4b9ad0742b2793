/**
 * Two people's real keystrokes, through a relay: every transaction is made on exactly the state that
 * it was made on when it was recorded. Run alone: node --test tests/traces/friendsforever.test.mjs
 *
 * Each person's transactions follow one another, so what a transaction knew of the other's is a
 * number: how many. Links are held but for those moments at which that number grows.
 */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { memory, openSpace, splice } from "eyot";
import { inUnits, readTrace } from "../data/trace.mjs";
import { startRelay } from "../relay.mjs";
import { startGate } from "./gate.mjs";

const timeout = 240_000;
const OTHER = [1, 0];

let relay, gates;
before(
  async () => {
    relay = await startRelay();
    gates = await Promise.all(OTHER.map(() => startGate(relay.url)));
  },
  { timeout },
);
after(async () => {
  for (const gate of gates) gate.close();
  await relay.stop();
});

/** How many of each person's transactions each one knows of, itself included. */
function knowledge(txns) {
  const known = [];
  for (const { agent, parents } of txns) {
    const counts = [0, 1].map((person) => Math.max(0, ...parents.map((parent) => known[parent][person])));
    counts[agent] += 1;
    known.push(counts);
  }
  return known;
}

/** By person, after which of their transactions the other listens. */
function pauses(txns, known) {
  const heard = [new Set(), new Set()];
  txns.forEach(({ agent }, index) => heard[OTHER[agent]].add(known[index][OTHER[agent]]));
  return heard;
}

it("friendsforever ends as it was recorded, on both sides", { timeout }, async () => {
  const { txns, endContent } = await readTrace("friendsforever");
  const known = knowledge(txns);
  const listened = pauses(txns, known);
  const spaces = await Promise.all(
    gates.map((gate) => openSpace("friends", { relays: [gate.url], storage: memory() })),
  );
  await Promise.all(spaces.map((space) => space.synced()));
  const docs = await Promise.all(spaces.map((space) => space.named("text", { text: "" })));
  for (const gate of gates) gate.hold();

  /** By person and number of transactions: the head that they lead to. */
  const heads = [new Map(), new Map()];
  const received = [0, 0];
  const made = [0, 0];
  for (const [index, { agent, patches }] of txns.entries()) {
    const needed = known[index][OTHER[agent]];
    if (needed > received[agent]) {
      gates[agent].releaseTo(mark(OTHER[agent], needed));
      await reaches(docs[agent], heads[OTHER[agent]].get(needed));
      received[agent] = needed;
    }
    made[agent] += 1;
    const isHeard = listened[agent].has(made[agent]);
    docs[agent].change(
      (draft) => {
        for (const patch of patches) splice(draft, ["text"], ...inUnits(draft.text, patch));
      },
      isHeard ? { message: mark(agent, made[agent]) } : {},
    );
    if (isHeard) {
      heads[agent].set(made[agent], docs[agent].heads[0]);
      // So that no frame carries transactions from both sides of it.
      await gates[OTHER[agent]].holds(mark(agent, made[agent]));
    }
  }

  for (const gate of gates) gate.open();
  await Promise.all(spaces.map((space) => space.durable()));
  await Promise.all(spaces.map((space) => space.synced()));
  for (const doc of docs) assert.equal(doc.value.text, endContent);
  assert.deepEqual(docs[0].heads, docs[1].heads);
  await Promise.all(spaces.map((space) => space.close()));
});

/** A change's message can be seen in the frame that carries it. */
function mark(person, count) {
  return `<${person}:${count}>`;
}

/** A change that leaves the text as it was, a letter typed and taken back, is told to no subscriber. */
async function reaches(doc, head) {
  while (!doc.heads.includes(head)) await nextTurn();
}
