// The drill: three regions, twenty replicas writing through them, and each region killed in its turn, left dead, once
// in three times without its data, and revived. At the end nothing acknowledged may be lost and nothing applied twice.
//
//   node drill.mjs --relay PROGRAM [--rounds N] [--json]

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { Crew } from "./crew.mjs";
import { distance } from "./network.mjs";
import { REGIONS, oneWayMs, startRegions } from "./regions.mjs";
import { Reader, now } from "./replicas.mjs";
import { percentile, print } from "./report.mjs";
import { judge } from "./verdict.mjs";

const SPACE = "drill";
const PROCESSES = 4;
const REPLICAS_EACH = 5;
const DOCUMENTS = Array.from({ length: 8 }, (_, index) => `notes-${index}`);
/** Documents each replica has open and writes to. */
const DOCUMENTS_EACH = 2;
const COMMITS_PER_SECOND_EACH = 5;
/** Writing before a region is killed, and while it is dead. */
const CALM_MS = 2_000;
const DEAD_MS = 3_000;
/** What takes longer than this will not happen. */
const PATIENCE_MS = 60_000;
const POLL_MS = 100;

const { values: options } = parseArgs({
  options: {
    relay: { type: "string" },
    rounds: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const folder = await mkdtemp(join(tmpdir(), "eyot-drill-"));
const crews = [];
let regions = [];
let proxies = [];
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => end().finally(() => process.exit(1)));
try {
  const report = await drill(Number(options.rounds));
  if (options.json) console.log(JSON.stringify(report, undefined, 2));
  else print(report);
  if (report.holds) await rm(folder, { recursive: true, force: true });
  else fail(new Error("the drill does not hold"));
} catch (error) {
  for (const [index, crew] of crews.entries()) {
    const statuses = await crew.tell("statuses").catch((error) => `unknown: ${error.message}`);
    console.error(`process ${index}:`, JSON.stringify(statuses));
  }
  fail(error);
} finally {
  await end();
}

async function end() {
  for (const crew of crews) await crew.end();
  for (const region of regions) await region.kill().catch(() => undefined);
  for (const proxy of proxies) proxy.close();
}

function fail(error) {
  console.error(`${error.stack}\nwhat the relays said and stored is in ${folder}`);
  process.exitCode = 1;
}

async function drill(rounds) {
  regions = await startRegions({ program: options.relay, folder });
  await openReplicas();
  say(`${PROCESSES * REPLICAS_EACH} replicas write ${COMMITS_PER_SECOND_EACH} commits a second each`);
  const started = now();
  await all("start", { perSecond: COMMITS_PER_SECOND_EACH });
  await inAllRegions();

  const kills = [];
  for (let round = 0; round < rounds; round++) {
    for (const [index, region] of regions.entries()) {
      // Every round another region loses its data, beginning with the second.
      const wiped = index === (round + 1) % regions.length;
      kills.push(await killAndRevive(region, wiped));
    }
  }

  await all("stop");
  const stopped = now();
  say("writing has ended; waiting until all regions and all replicas are equal");
  await inAllRegions();
  const readers = await Promise.all(
    regions.map(({ url }) => Reader.of({ space: SPACE, relay: url, documents: DOCUMENTS })),
  );
  const equal = await untilEqual(readers);
  const equalAfterMs = equal ? now() - stopped : undefined;

  const commits = (await all("commits")).flat();
  const holders = Object.fromEntries([
    ...(await Promise.all(readers.map(async (reader, index) => [regions[index].name, await reader.contents()]))),
    ...(await all("contents")).flat(),
  ]);
  for (const reader of readers) await reader.space.close();
  const verdict = judge({ commits, holders, regions: REGIONS });
  return {
    seconds: (stopped - started) / 1000,
    replicas: PROCESSES * REPLICAS_EACH,
    ...verdict,
    kills: kills.map((kill) => summary(kill, commits)),
    failoverMs: quantiles(kills.flatMap((kill) => failovers(kill, commits))),
    equalAfterMs,
  };
}

/** Each near one region, with the relays of all in the order of their distance. */
async function openReplicas() {
  const neighbourhoods = {};
  for (const near of REGIONS) {
    const byDistance = regions.toSorted((a, b) => oneWayMs(near, a.name) - oneWayMs(near, b.name));
    neighbourhoods[near] = await Promise.all(
      byDistance.map(({ port, name }) => distance({ port, delayMs: oneWayMs(near, name) })),
    );
  }
  proxies = Object.values(neighbourhoods).flat();
  let number = 0;
  for (let index = 0; index < PROCESSES; index++) crews.push(new Crew());
  await Promise.all(
    crews.map((crew) => {
      const list = Array.from({ length: REPLICAS_EACH }, () => {
        const mine = number++;
        const near = REGIONS[mine % REGIONS.length];
        const own = Array.from({ length: DOCUMENTS_EACH }, (_, i) => DOCUMENTS[(mine + i * 3) % DOCUMENTS.length]);
        const relays = neighbourhoods[near].map(({ url }) => url);
        return { name: `${near}-${mine}`, space: SPACE, relays, documents: DOCUMENTS, own };
      });
      return crew.tell("open", list);
    }),
  );
}

async function killAndRevive(region, wiped) {
  await passing(CALM_MS);
  const links = (await all("links")).flat();
  const linked = links.filter((link) => link.region === region.name).map(({ name }) => name);
  say(`${region.name} is killed, ${linked.length} replicas are linked to it`);
  const killedAt = now();
  await region.kill();
  await passing(DEAD_MS);
  if (wiped) await region.wipe();
  await region.start();
  const revivedAt = now();
  say(`${region.name} is revived${wiped ? ", without its data" : ""}`);
  await inAllRegions();
  const equalAfterMs = now() - revivedAt;
  return { region: region.name, wiped, linked, killedAt, equalAfterMs };
}

/** Every region has stored all that was made before this was asked. */
async function inAllRegions() {
  await all("durable", { regions: REGIONS.length, timeout: PATIENCE_MS });
}

/** Writing goes on meanwhile: how long is what this is about. */
function passing(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function untilEqual(readers) {
  const deadline = now() + PATIENCE_MS;
  while (now() < deadline) {
    const ofReplicas = (await all("censuses")).flat();
    const ofRegions = readers.map((reader) => reader.census());
    if (new Set([...ofRegions, ...ofReplicas]).size === 1) return true;
    await passing(POLL_MS);
  }
  return false;
}

/** How long after the kill each replica that was linked there had a commit acknowledged that it made since. */
function failovers({ linked, killedAt }, commits) {
  const times = new Map();
  for (const commit of commits) {
    const { madeAt, ackedAt } = commit;
    if (madeAt < killedAt || ackedAt[1] === undefined) continue;
    const name = authorOf(commit);
    times.set(name, Math.min(times.get(name) ?? Infinity, ackedAt[1] - killedAt));
  }
  return linked.map((name) => times.get(name) ?? Infinity);
}

/** Commits that the region had acknowledged when it was killed, and no other. */
function heldAlone({ linked, killedAt }, commits) {
  const alone = ({ ackedAt }) => ackedAt[1] < killedAt && !(ackedAt[2] < killedAt);
  return commits.filter((commit) => linked.includes(authorOf(commit)) && alone(commit)).length;
}

function summary(kill, commits) {
  const { region, wiped, linked, equalAfterMs } = kill;
  const alone = heldAlone(kill, commits);
  return { region, wiped, linked: linked.length, alone, failoverMs: quantiles(failovers(kill, commits)), equalAfterMs };
}

function authorOf({ id }) {
  return id.slice(0, id.lastIndexOf("-"));
}

function quantiles(times) {
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

function all(what, argument) {
  return Promise.all(crews.map((crew) => crew.tell(what, argument)));
}

function say(what) {
  console.error(`» ${what}`);
}
