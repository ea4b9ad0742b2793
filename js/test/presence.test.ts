/** Who is here: what replicas show each other of themselves. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { MessageChannel, type MessagePort as NodePort } from "node:worker_threads";
import { Counter, memory, openSpace, type Json, type Space, type SpaceOptions } from "./eyot.js";
import { TestRelay } from "./relay.js";

const spaces: Space[] = [];
const ports: NodePort[] = [];
const relays: TestRelay[] = [];
afterEach(async () => {
  await Promise.all(spaces.splice(0).map((space) => space.close()));
  await Promise.all(relays.splice(0).map((relay) => relay.stop()));
  for (const port of ports.splice(0)) port.close();
});

async function open(options: SpaceOptions = {}): Promise<Space> {
  const space = await openSpace("test", { storage: memory(), ...options });
  spaces.push(space);
  return space;
}

function connect(one: Space, other: Space): void {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  one.connect(port1 as unknown as MessagePort);
  other.connect(port2 as unknown as MessagePort);
}

async function pair(): Promise<[Space, Space]> {
  const [one, other] = await Promise.all([open(), open()]);
  connect(one, other);
  return [one, other];
}

/** Resolves once the space sees these states, in any order. */
function sees({ presence }: Space, ...states: Json[]): Promise<void> {
  const wanted = JSON.stringify(states.map((state) => JSON.stringify(state)).sort());
  return new Promise((resolve) => {
    const look = (others: ReadonlyMap<string, Json>): void => {
      if (JSON.stringify([...others.values()].map((state) => JSON.stringify(state)).sort()) !== wanted) return;
      stop();
      resolve();
    };
    const stop = presence.subscribe(look);
    look(presence.others);
  });
}

describe("what a replica shows of itself", () => {
  it("is seen over a port, and by those behind it", async () => {
    const [one, two, three] = await Promise.all([open(), open(), open()]);
    connect(one, two);
    connect(two, three);
    one.presence.set({ name: "Ada", cursor: 3 });
    three.presence.set("hello");
    await sees(three, { name: "Ada", cursor: 3 });
    await sees(one, "hello");
    assert.deepEqual(three.presence.others, new Map([[one.presence.id, { name: "Ada", cursor: 3 }]]));
    await sees(two, { name: "Ada", cursor: 3 }, "hello");
  });

  it("is seen through a relay, until it is taken back or the space is closed", async () => {
    const relay = await TestRelay.start("eu");
    relays.push(relay);
    const [one, other] = await Promise.all([1, 2].map(() => open({ relays: [relay.address] })));
    one!.presence.set("here");
    await sees(other!, "here");
    other!.presence.set("too");
    await sees(one!, "too");
    one!.presence.set(undefined);
    await sees(other!);
    one!.presence.set("again");
    await sees(other!, "again");
    await one!.close();
    await sees(other!);
  });

  it("goes with the link", async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    const stop = one.connect(port1 as unknown as MessagePort);
    other.connect(port2 as unknown as MessagePort);
    one.presence.set("here");
    other.presence.set("too");
    await sees(other, "here");
    await sees(one, "too");
    stop();
    await Promise.all([sees(one), sees(other)]);
    connect(one, other);
    await Promise.all([sees(one, "too"), sees(other, "here")]);
  });

  it("may be any small value, which others can't change", async () => {
    const [one, other] = await pair();
    const state = { list: [1, null, true], when: new Date(5), bytes: new Uint8Array([1, 2]), count: new Counter(7) };
    other.presence.set(0);
    one.presence.set(state);
    state.list.push(2);
    await sees(other, { ...state, list: [1, null, true] });
    const seen = [...other.presence.others.values()][0] as typeof state;
    assert.deepEqual([seen.when, seen.bytes, seen.count.value], [new Date(5), new Uint8Array([1, 2]), 7]);
    assert.throws(() => seen.list.push(3), TypeError);
    assert.throws(() => one.presence.set("x".repeat(1_100)), { code: "too-large" });
    assert.throws(() => one.presence.set((() => 1) as unknown as Json), { code: "invalid" });
    await sees(other, { ...state, list: [1, null, true] });
  });

  it("may have parts, which need not know of one another", async () => {
    const [one, other] = await pair();
    other.presence.set(0);
    one.presence.setPart("caret", 5);
    await sees(other, { caret: 5 });
    one.presence.set({ name: "Ada", caret: 7 });
    await sees(other, { name: "Ada", caret: 5 });
    one.presence.setPart("tool", { kind: "pen" });
    await sees(other, { name: "Ada", tool: { kind: "pen" }, caret: 5 });
    assert.throws(() => one.presence.set("Ada"), { code: "invalid" });
    assert.throws(() => one.presence.setPart("tool", "x".repeat(1_100)), { code: "too-large" });
    assert.throws(() => one.presence.setPart(7 as unknown as string, 5), { code: "invalid" });
    one.presence.setPart("caret", undefined);
    await sees(other, { name: "Ada", tool: { kind: "pen" }, caret: 7 });
    one.presence.set(undefined);
    await sees(other, { tool: { kind: "pen" } });
    one.presence.setPart("tool", undefined);
    await sees(other);
  });

  it("is another map whenever it has changed, and only then", async () => {
    const [one, other] = await pair();
    let told = 0;
    const { subscribe, set } = other.presence;
    const stop = subscribe((others) => {
      told += 1;
      assert.equal(others, other.presence.others);
    });
    set("too");
    const before = other.presence.others;
    assert.equal(other.presence.others, before);
    one.presence.set("one");
    await sees(other, "one");
    assert.deepEqual([before.size, told], [0, 1]);
    stop();
    one.presence.set("two");
    await sees(other, "two");
    assert.equal(told, 1);
  });

  it("belongs to a space that is open", async () => {
    const [one, other] = await pair();
    one.presence.set("one");
    other.presence.set("other");
    await sees(one, "other");
    const { id } = one.presence;
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.notEqual(id, other.presence.id);
    const gone = sees(one);
    await one.close();
    await gone;
    assert.equal(one.presence.others.size, 0);
    assert.throws(() => one.presence.set("late"), { code: "closed" });
    assert.throws(() => one.presence.subscribe(() => undefined), { code: "closed" });
  });
});
