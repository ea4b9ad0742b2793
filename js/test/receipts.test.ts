/** A replica that reaches no relay, and another one that does: what is said to be durable through it is. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Identity } from "../src/peers/identity.js";
import { memory, openSpace, type Space } from "./eyot.js";
import { TestRelay } from "./relay.js";

type Note = { list: string[] };

let relay: TestRelay;
const spaces: Space[] = [];
beforeEach(async () => {
  relay = await TestRelay.start("eu");
});
afterEach(async () => {
  await Promise.all(spaces.splice(0).map((space) => space.close()));
  await relay.stop();
});

it("durable() through another replica resolves once the relay has stored it, by the relay's word", async () => {
  const [feeder, alone] = await linked();
  feeder.setOnline(false);
  await until("the feeder is offline", () => feeder.status.relay === undefined);
  const { durable, isOver } = await write(alone, "hello");
  await until("the feeder has it", async () => (await note(feeder)).value.list.includes("hello"));
  assert.equal(isOver(), false, "only another replica has it");
  assert.equal(alone.status.behind["eu"], 1);

  feeder.setOnline(true);
  await durable;
  assert.equal(alone.status.relay, undefined, "it has reached no relay");
  assert.deepEqual(alone.status.behind, { eu: 0 });
  const late = await open();
  await late.synced();
  assert.deepEqual((await note(late)).value.list, ["hello"], "the relay has it");
});

it("a receipt that no key of the relays has signed counts for nothing", async () => {
  const [, alone] = await linked();
  const good = relay.signer;
  relay.signer = await Identity.make();
  const { durable, isOver } = await write(alone, "hello");
  await until("the relay has answered twice", () => relay.signed >= 2);
  assert.equal(isOver(), false);
  assert.equal(alone.status.behind["eu"], 1);
  relay.signer = good;
  await durable;
});

/** Two replicas that are linked, and the second one has lost the relay that it had. */
async function linked(): Promise<[Space, Space]> {
  const [feeder, alone] = await Promise.all([open(), open()]);
  await Promise.all([feeder.synced(), alone.synced()]);
  const { port1, port2 } = new MessageChannel();
  feeder.connect(port1);
  alone.connect(port2);
  await until("both are linked", () => alone.status.peers === 2 && feeder.status.peers === 2);
  alone.setOnline(false);
  await until("it has lost the relay", () => alone.status.relay === undefined);
  return [feeder, alone];
}

async function write(space: Space, text: string): Promise<{ durable: Promise<void>; isOver: () => boolean }> {
  (await note(space)).change(({ list }) => void list.push(text));
  let isOver = false;
  const durable = space.durable({ regions: 1 }).then(() => void (isOver = true));
  return { durable, isOver: () => isOver };
}

async function open(): Promise<Space> {
  const space = await openSpace("test", { storage: memory(), relays: [relay.address] });
  spaces.push(space);
  return space;
}

const note = (space: Space) => space.named<Note>("note", { list: [] });

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) assert.fail(`waited in vain until ${what}`);
    await sleep(10);
  }
}
