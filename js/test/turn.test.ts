/** Two devices that reach each other by a TURN server alone. The server is one of this test, on this machine. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { readAnswer, readInvitation } from "../src/peers/invitation.js";
import { findRtc } from "../src/peers/node-rtc.js";
import type { Rtc } from "../src/peers/rtc.js";
import { memory, openSpace, type Space } from "./eyot.js";

type Note = { list: string[] };

const RELAYED = 2;
/** In a thread of its own, with which all that it holds ends. */
const SERVER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const Turn = require("node-turn");
  new Turn({
    listeningPort: workerData,
    listeningIps: ["127.0.0.1"],
    relayIps: ["127.0.0.1"],
    authMech: "long-term",
    credentials: { ada: "secret" },
    debugLevel: "OFF",
  }).start();
  parentPort.postMessage("it listens");
`;
const { RTCPeerConnection: before } = globalThis;
after(() => Object.assign(globalThis, { RTCPeerConnection: before }));

it("a link comes up over TURN, and carries commits both ways", async () => {
  const platform: Rtc = await findRtc();
  // No other way is tried.
  class OnlyRelayed extends platform {
    constructor(configuration?: RTCConfiguration) {
      super({ ...configuration, iceTransportPolicy: "relay" });
    }
  }
  Object.assign(globalThis, { RTCPeerConnection: OnlyRelayed });
  const port = await freePort();
  const turn = new Worker(SERVER, { eval: true, workerData: port });
  await once(turn, "message");
  const iceServers = [{ urls: `turn:127.0.0.1:${port}`, username: "ada", credential: "secret" }];
  const open = (): Promise<Space> =>
    openSpace("turned", { storage: memory(), peerToPeer: { iceServers, maxPeers: 0 } });
  const [one, other] = await Promise.all([open(), open()]);
  try {
    const invitation = await one.invite();
    const invited = readInvitation(invitation.text, "turned");
    const { answer } = await other.join(invitation.text);
    for (const { candidates } of [invited.description, readAnswer(answer, invited).description]) {
      assert.deepEqual(
        candidates.map(({ kind }) => kind),
        [RELAYED],
      );
    }
    await invitation.accept(answer);
    const [here, there] = await Promise.all([one, other].map((space) => space.named<Note>("note", { list: [] })));
    here!.change(({ list }) => void list.push("here"));
    there!.change(({ list }) => void list.push("there"));
    const deadline = performance.now() + 30_000;
    while ([here!, there!].some(({ value }) => value.list.length < 2)) {
      assert.ok(performance.now() < deadline, "the commits have not come");
      await sleep(20);
    }
    assert.deepEqual(here!.heads, there!.heads);
    assert.deepEqual(
      one.links().map(({ to, via }) => [to, via]),
      [["replica", "webrtc"]],
    );
  } finally {
    await Promise.all([one.close(), other.close()]);
    await turn.terminate();
  }
});

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await once(socket.bind(0, "127.0.0.1"), "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}
