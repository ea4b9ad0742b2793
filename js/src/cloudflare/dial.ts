/** Opens links to the relays of other regions. */

import { offer, trusted } from "../access/admission.js";
import { relayObject } from "./object.js";
import type { Socket } from "./platform.js";
import { type Peer, type Setup, tell } from "./setup.js";

/** The address by which the core knows a peer. An object of the same namespace has none of its own, so it gets one. */
export function addressOf({ region, url }: Peer): string {
  return url ?? `object:${region}`;
}

/** Opens a link to the peer at that address, with the token for peers elsewhere. The socket has no events before its `accept` is called. */
export async function dial(address: string, setup: Setup, token: string | undefined, env: unknown): Promise<Socket> {
  const peer = setup.peers.find((peer) => addressOf(peer) === address);
  if (peer === undefined) throw new Error(`there is no relay at ${address}`);
  const { webSocket: socket, status } = (await (peer.url === undefined
    ? dialObject(peer.region, setup, env)
    : fetch(spaceUrl(peer.url, setup.space), { headers: upgrade(token) }))) as Response & { webSocket?: Socket | null };
  if (socket == null) throw new Error(`${address} answers with ${status}`);
  socket.binaryType = "arraybuffer";
  return socket;
}

/** Sends the object its setup too, because nobody else may have told it one yet. */
function dialObject(region: string, setup: Setup, env: unknown): Promise<Response> {
  const others = setup.peers.filter((peer) => peer.region !== region);
  const theirs = { ...setup, region, peers: [...others, { region: setup.region }] };
  const told = {
    setup: theirs,
    comer: { claims: trusted(`relay ${setup.region}`) },
    from: setup.region,
  };
  return relayObject(env, theirs).fetch(
    new Request(spaceUrl("ws://relay", setup.space), { headers: tell(told, upgrade()) }),
  );
}

function spaceUrl(base: string, space: string): string {
  return `${base.replace(/^ws/, "http").replace(/\/$/, "")}/v1/${encodeURIComponent(space)}`;
}

function upgrade(token?: string): Headers {
  return new Headers({ upgrade: "websocket", "sec-websocket-protocol": offer(token) });
}
