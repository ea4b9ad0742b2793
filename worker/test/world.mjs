// What the tests of the relay share: relays on real `workerd`, real replicas, raw connections.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { memory, openSpace } from "eyot";
import WebSocket, { WebSocketServer } from "ws";

import { bundle, start } from "../workerd.mjs";

const WAIT_MS = 20_000;
/** Alarms ring half a minute after. */
const ALARM_WAIT_MS = 60_000;
/** After twenty seconds of silence replicas ping, which must neither wake a relay nor keep it awake. */
const SLEEP_MS = 30_000;
/** The status of who is refused while many are. */
const TOO_MANY = 429;
/** `workerd` ends the TCP connection of a link that it closed for another's sake only when it sleeps. */
const CLOSE_MS = 500;

/** A folder, a bundle (of `entry`, or of the Worker itself), and all that is started in it; everything goes with the test. */
export async function world(context, entry) {
  const [folder, data] = await Promise.all([bundle(entry), mkdtemp(join(tmpdir(), "eyot-data-"))]);
  const ends = [];
  context.after(async () => {
    await Promise.allSettled(ends.map((end) => end()));
    await Promise.all([folder, data].map((path) => rm(path, { recursive: true, force: true })));
  });
  return {
    data,
    /** Starts a relay over that data; `port` lets one take the place of another, `variables` are the Worker's. */
    async relay({ variables = {}, ...options } = {}) {
      const isOpen = variables.JWT_KEYS === undefined && variables.JWT_SECRET === undefined;
      const all = { REGION: "eu", ...(isOpen && { AUTH: "open" }), ...variables };
      const relay = await start({ folder, data, variables: all, ...options });
      ends.push(() => relay.stop());
      return relay;
    },
    /** Opens a replica that keeps everything in memory. */
    async replica(relay, space = "space", options = {}) {
      const replica = await openSpace(space, { relays: [relay.url], storage: memory(), ...options });
      ends.push(() => replica.close());
      return replica;
    },
  };
}

/** Relays that know each other's addresses, each to be started, and started again, at its own. */
export async function inRegions(place, names, variables = {}) {
  const ports = await Promise.all(names.map(freePort));
  const peers = (own) =>
    names.flatMap((name, index) => (name === own ? [] : [`${name}=ws://127.0.0.1:${ports[index]}`])).join(" ");
  return names.map((region, index) => {
    const data = `${place.data}/${region}`;
    const all = { REGION: region, PEERS: peers(region), ...variables };
    return { region, data, start: () => place.relay({ data, port: ports[index], variables: all }) };
  });
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A counter of the relay's; NaN for what it has not counted yet. */
export async function counter(relay, name) {
  const metrics = await (await fetch(`${relay.url.replace("ws:", "http:")}/metrics`)).text();
  const line = metrics.split("\n").find((line) => line.startsWith(`${name} `));
  return Number(line?.slice(name.length));
}

/**
 * Speaks to a relay after it has slept. `workerd` puts an object to sleep ten seconds after the last word, but never one to
 * which two connections were opened at the same time.
 */
export async function speakAfterSleep(relay, speak) {
  assert.equal(await loadsDuring(relay, speak), 1);
}

/** Speaks to a relay after the same time, in which it must have stayed awake. */
export async function speakWithoutSleep(relay, speak) {
  assert.equal(await loadsDuring(relay, speak), 0);
}

/** How often a relay was loaded anew when nobody has spoken to it for a while, and then somebody does. */
async function loadsDuring(relay, speak) {
  const loaded = await counter(relay, "eyot_relays_loaded_total");
  // Nothing but time puts it to sleep.
  await new Promise((resolve) => setTimeout(resolve, SLEEP_MS));
  await speak();
  return (await counter(relay, "eyot_relays_loaded_total")) - loaded;
}

/** Waits until something holds, asking again and again. */
export async function eventually(holds, what) {
  const end = Date.now() + ALARM_WAIT_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
  }
}

/** Waits until something holds, looking again whenever the document or the space says that it changed. */
export async function until(source, holds, what) {
  if (holds()) return;
  let unsubscribe;
  const change = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited in vain: ${what}`)), WAIT_MS);
    unsubscribe = source.subscribe(() => {
      if (holds()) {
        clearTimeout(timer);
        resolve();
      }
    });
  });
  await change.finally(() => unsubscribe());
}

/**
 * A bare WebSocket to a relay, opened; `closed` resolves with the code and the reason. Like clients, it comes again where
 * the relay refuses too many others at the moment.
 */
export async function connect(relay, space = "space", { token, ...headers } = {}) {
  const protocols = ["eyot.v1", ...(token === undefined ? [] : [`eyot.token.${token}`])];
  const socket = new WebSocket(`${relay.url}/v1/${space}`, protocols, { headers, closeTimeout: CLOSE_MS });
  const closed = once(socket, "close").then(([code, reason]) => ({ code, reason: reason.toString() }));
  const busy = once(socket, "unexpected-response").then(([, { statusCode }]) => statusCode);
  const status = await Promise.race([once(socket, "open"), busy]);
  if (typeof status !== "number") return { socket, closed };
  closed.catch(() => undefined);
  socket.on("error", () => undefined).terminate();
  assert.equal(status, TOO_MANY);
  return connect(relay, space, { token, ...headers });
}

/** The first frame that a replica of a space sends. */
export async function greeting(space, token) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const url = `ws://127.0.0.1:${server.address().port}`;
  const replica = await openSpace(space, { relays: [url], storage: memory(), ...(token !== undefined && { token }) });
  const [socket] = await once(server, "connection");
  const [frame] = await once(socket, "message");
  await replica.close();
  socket.terminate();
  server.close();
  return new Uint8Array(frame);
}

/** What a replica of a space sends after its greeting when it makes a document with this value at an open relay. */
export async function recorded(place, space, value = { written: true }) {
  const relay = await place.relay({ data: `${place.data}/recorded` });
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const frames = [];
  server.on("connection", (from, { url }) => {
    const to = new WebSocket(relay.url + url, "eyot.v1");
    from.on("message", async (frame) => {
      frames.push(new Uint8Array(frame));
      if (to.readyState === WebSocket.CONNECTING) await once(to, "open");
      to.send(frame);
    });
    to.on("message", (frame) => from.send(frame));
    from.on("close", () => to.terminate());
  });
  const replica = await place.replica({ url: `ws://127.0.0.1:${server.address().port}` }, space);
  replica.create(value);
  await replica.durable();
  await replica.close();
  server.close();
  return frames.slice(1);
}
