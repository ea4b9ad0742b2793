/** A channel that carries nothing one way any more, and says nothing of it. The clock is the test's own. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, it, mock } from "node:test";
import { memory, openSpace, type Space } from "./eyot.js";

type Note = { list: string[] };

/** What is promised, a little more than the 18 s after which the core gives up. */
const NOTICED_MS = 20_000;
const LINKED_AGAIN_MS = 120_000;
const TICK_MS = 250;

/** An end of a channel whose messages can be lost. */
class Wire extends EventTarget {
  isCut = false;
  lost = 0;
  other!: Wire;

  postMessage(data: ArrayBuffer): void {
    if (this.isCut) this.lost += 1;
    else setImmediate(() => this.other.dispatchEvent(new MessageEvent("message", { data })));
  }

  start(): void {}

  close(): void {}
}

const spaces: Space[] = [];
beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.now() }));
afterEach(async () => {
  mock.timers.reset();
  await Promise.all(spaces.splice(0).map((space) => space.close()));
});

for (const lost of ["what this side sends", "what the other side sends"] as const) {
  it(`a link on which ${lost} is lost is ended by both within 20 s, and made again once it can be`, async () => {
    const [one, other] = await Promise.all([openOne(), openOne()]);
    const [near, far] = [new Wire(), new Wire()];
    [near.other, far.other] = [far, near];
    one.connect(near as unknown as MessagePort);
    other.connect(far as unknown as MessagePort);
    const [here, there] = await Promise.all([note(one), note(other)]);
    here.change(({ list }) => void list.push("before"));
    await passes(LINKED_AGAIN_MS, () => there.value.list.includes("before"));
    assert.deepEqual([one.status.peers, other.status.peers], [1, 1]);

    const broken = lost === "what this side sends" ? near : far;
    broken.isCut = true;
    // Nobody writes: only that they ask each other shows it.
    await passes(NOTICED_MS, () => one.status.peers === 0 && other.status.peers === 0);
    assert.ok(broken.lost > 0);
    for (const { status } of [one, other]) assert.equal(status.error, undefined);

    here.change(({ list }) => void list.push("of one"));
    there.change(({ list }) => void list.push("of the other"));
    broken.isCut = false;
    await passes(LINKED_AGAIN_MS, () => [here, there].every(({ value: { list } }) => list.length === 3));
    assert.deepEqual(here.heads, there.heads);
  });
}

async function openOne(): Promise<Space> {
  const space = await openSpace("half-dead", { storage: memory() });
  spaces.push(space);
  return space;
}

const note = (space: Space) => space.named<Note>("note", { list: [] });

/** Lets so much of the test's time pass at most, until that is so. */
async function passes(ms: number, isSo: () => boolean): Promise<void> {
  for (let passed = 0; passed <= ms; passed += TICK_MS) {
    // What is under way takes several turns of the event loop, and no time.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (isSo()) return;
    mock.timers.tick(TICK_MS);
  }
  assert.fail(`not so after ${ms} ms`);
}
