/** Invitations hold the address that a STUN server tells. The server is one of this test, on this machine. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { it } from "node:test";
import { ofSdp, toSdp } from "../src/peers/description.js";
import { readAnswer, readInvitation } from "../src/peers/invitation.js";
import { memory, openSpace } from "./eyot.js";

const COOKIE = 0x2112a442;
/** An address that is nobody's, see RFC 5737. */
const OUTSIDE = [203, 0, 113, 9];
const OUTSIDE_PORT = 40_404;
const SERVER_REFLEXIVE = 1;

it("both texts hold how the devices look from outside, where a server is given, and not without one", async () => {
  const socket = createSocket("udp4", (request, { port, address }) => {
    if (request.readUInt16BE(0) === 1) socket.send(mapped(request), port, address);
  });
  await once(socket.bind(0, "127.0.0.1"), "listening");
  const iceServers = [{ urls: `stun:127.0.0.1:${socket.address().port}` }];
  const open = (peerToPeer?: { iceServers: typeof iceServers }) =>
    openSpace("outside", { storage: memory(), ...(peerToPeer && { peerToPeer }) });
  const [one, other, plain] = await Promise.all([open({ iceServers }), open({ iceServers }), open()]);
  try {
    const invitation = await one.invite();
    const invited = readInvitation(invitation.text, "outside");
    const { answer } = await other.join(invitation.text);
    const { description } = readAnswer(answer, invited);
    for (const { candidates } of [invited.description, description]) {
      const outside = candidates.filter(({ kind }) => kind === SERVER_REFLEXIVE);
      assert.deepEqual(
        outside.map(({ address, port }) => [[...address], port]),
        [[OUTSIDE, OUTSIDE_PORT]],
      );
    }
    await invitation.accept(answer);
    const within = readInvitation((await plain.invite()).text, "outside").description.candidates;
    assert.ok(within.every(({ kind }) => kind === 0));
  } finally {
    await Promise.all([one, other, plain].map((space) => space.close()));
    socket.close();
  }
});

it("a device with many addresses still tells those from outside", () => {
  const base = { fingerprint: new Uint8Array(32), user: "user", password: "password" };
  const candidate = (kind: number, port: number) => ({ kind, form: 0, address: new Uint8Array(OUTSIDE), port });
  const many = Array.from({ length: 9 }, (_, index) => candidate(0, index + 1));
  const read = ofSdp(toSdp({ ...base, candidates: [...many, candidate(1, 77), candidate(2, 78)] }, "actpass"));
  assert.deepEqual(
    read?.candidates.map(({ port }) => port),
    [1, 2, 3, 4, 5, 6, 77, 78],
  );
});

/** The answer to a binding request, see RFC 8489. */
function mapped(request: Buffer): Buffer {
  const answer = Buffer.alloc(32);
  answer.writeUInt16BE(0x0101, 0);
  answer.writeUInt16BE(12, 2);
  request.copy(answer, 4, 4, 20);
  // XOR-MAPPED-ADDRESS, IPv4.
  answer.writeUInt16BE(0x0020, 20);
  answer.writeUInt16BE(8, 22);
  answer.writeUInt16BE(1, 24);
  answer.writeUInt16BE(OUTSIDE_PORT ^ (COOKIE >>> 16), 26);
  answer.writeUInt32BE((Buffer.from(OUTSIDE).readUInt32BE() ^ COOKIE) >>> 0, 28);
  return answer;
}
