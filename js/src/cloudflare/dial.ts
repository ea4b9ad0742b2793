/** Links to the relays of other regions. */

import { objectName, type Peer, PROTOCOL, type Setup, tell } from "./options.js";
import { hintOf } from "./place.js";
import { relays, type Socket } from "./platform.js";

/** The address by which the core knows a peer that is an object of the same namespace. */
export function addressOf({ region, url }: Peer): string {
  return url ?? `object:${region}`;
}

/** Opens a link to the peer of that address. Its events begin once it is accepted. */
export async function dial(address: string, setup: Setup, env: unknown): Promise<Socket> {
  const peer = setup.peers.find((peer) => addressOf(peer) === address);
  if (peer === undefined) throw new Error(`there is no relay at ${address}`);
  const { webSocket: socket, status } = (await (peer.url === undefined
    ? dialObject(peer.region, setup, env)
    : fetch(spaceUrl(peer.url, setup.space), { headers: upgrade() }))) as Response & { webSocket?: Socket | null };
  if (socket == null) throw new Error(`${address} answers with ${status}`);
  socket.binaryType = "arraybuffer";
  return socket;
}

/** The object may never have been told what to serve, so its peer tells it. */
function dialObject(region: string, setup: Setup, env: unknown): Promise<Response> {
  const namespace = relays(env);
  const others = setup.peers.filter((peer) => peer.region !== region);
  const told = { from: setup.region, setup: { ...setup, region, peers: [...others, { region: setup.region }] } };
  const object = namespace.get(namespace.idFromName(objectName(setup.space, region)), hintOf(region));
  return object.fetch(new Request(spaceUrl("ws://relay", setup.space), { headers: tell(told, upgrade()) }));
}

function spaceUrl(base: string, space: string): string {
  return `${base.replace(/^ws/, "http").replace(/\/$/, "")}/v1/${encodeURIComponent(space)}`;
}

function upgrade(): Headers {
  return new Headers({ upgrade: "websocket", "sec-websocket-protocol": PROTOCOL });
}
