/**
 * Replicas in one process of Node that link to each other by themselves, while some leave and others come: how long it
 * takes until all are equal, and how many bytes each is sent, beside the same through a relay alone. Its numbers are said,
 * never asserted: machines differ.
 *
 * node tests/bench/mesh.mjs [--replicas 30] [--seconds 60] [--churn 20]     churn: percent that are replaced in a minute
 */
import { parseArgs } from "node:util";
import { memory, openSpace } from "eyot";
import { startRelay } from "../relay.mjs";

const { values } = parseArgs({
  options: {
    replicas: { type: "string", default: "30" },
    seconds: { type: "string", default: "60" },
    churn: { type: "string", default: "20" },
  },
});
const [REPLICAS, SECONDS, CHURN] = [values.replicas, values.seconds, values.churn].map(Number);
const WRITE_MS = 100;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const spaces = new Set();
let written = 0;

async function add(relay, peerToPeer) {
  const space = await openSpace("mesh", { relays: [relay.url], storage: memory(), peerToPeer });
  const doc = await space.named("doc", {});
  const replica = { space, doc };
  spaces.add(replica);
  return replica;
}

async function remove(replica) {
  spaces.delete(replica);
  await replica.space.close();
}

const any = () => [...spaces][Math.floor(Math.random() * spaces.size)];
const direct = ({ space }) => space.links().filter(({ to }) => to === "replica");
const areEqual = () => new Set([...spaces].map(({ doc }) => [...doc.heads].sort().join())).size === 1;
const received = () =>
  [...spaces].flatMap(({ space }) => space.links().map(({ bytesIn }) => bytesIn)).reduce((a, b) => a + b, 0);

async function until(what, isSo) {
  const since = performance.now();
  while (!isSo()) {
    if (performance.now() - since > 120_000) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
  return performance.now() - since;
}

function write(count) {
  for (let n = 0; n < count; n++) {
    const { doc } = any();
    doc.change((draft) => (draft[`key ${written++}`] = "a value of some letters"));
  }
}

/** So many commits by changing writers; the bytes that each replica is sent for one. */
async function measure(commits) {
  await until("all are equal", areEqual);
  const before = received();
  for (let n = 0; n < commits; n++) {
    write(1);
    await sleep(20);
  }
  const ms = await until("all are equal", areEqual);
  return { bytes: (received() - before) / commits / (spaces.size - 1), ms };
}

async function end() {
  await Promise.all([...spaces].map(remove));
}

/** The bytes that this process holds, once what is not used is gone. */
function held() {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

/** Gives how much memory a replica takes that has no links to others. */
async function star() {
  const relay = await startRelay();
  await add(relay, false);
  const before = held();
  for (let n = 1; n < REPLICAS; n++) await add(relay, false);
  const each = (held() - before) / (REPLICAS - 1);
  const { bytes, ms } = await measure(200);
  console.log(`star: ${bytes.toFixed(0)} bytes to a replica for a commit, equal ${ms.toFixed(0)} ms after the last`);
  await end();
  await relay.stop();
  return each;
}

async function mesh(ofReplica) {
  const relay = await startRelay();
  const before = held();
  for (let n = 0; n < REPLICAS; n++) await add(relay, true);
  const linked = await until("all are linked", () => [...spaces].every((replica) => direct(replica).length >= 3));
  const links = [...spaces].map((replica) => direct(replica).length);
  const all = links.reduce((a, b) => a + b, 0);
  const each = (held() - before) / REPLICAS;
  console.log(
    `mesh: ${REPLICAS} replicas with ${Math.min(...links)} to ${Math.max(...links)} links each, ` +
      `${linked.toFixed(0)} ms after the last was opened; ` +
      `${(each / 1024).toFixed(0)} KiB a replica, ${(ofReplica / 1024).toFixed(0)} without links: ` +
      `${(((each - ofReplica) * REPLICAS) / all / 1024).toFixed(0)} KiB an end of a link`,
  );
  const deadline = performance.now() + SECONDS * 1000;
  const churnMs = 60_000 / ((REPLICAS * CHURN) / 100);
  let churnAt = performance.now() + churnMs;
  let replaced = 0;
  while (performance.now() < deadline) {
    write(1);
    await sleep(WRITE_MS);
    if (performance.now() < churnAt) continue;
    churnAt += churnMs;
    replaced += 1;
    await remove(any());
    await add(relay, true);
  }
  const ms = await until("all are equal", areEqual);
  // Who has just come could meet nobody without the relay.
  await until("all are linked", () => [...spaces].every((replica) => direct(replica).length >= 3));
  console.log(
    `churn: ${replaced} replaced in ${SECONDS} s, ${written} commits; equal ${ms.toFixed(0)} ms after the last`,
  );
  await relay.kill();
  await until("no relay is linked", () =>
    [...spaces].every(({ space }) => space.links().every(({ to }) => to === "replica")),
  );
  const without = await measure(200);
  console.log(
    `without a relay: ${without.bytes.toFixed(0)} bytes to a replica for a commit, equal ${without.ms.toFixed(0)} ms after the last`,
  );
  await end();
  await relay.stop();
}

const ofReplica = await star();
written = 0;
await mesh(ofReplica);
process.exit(0);
