/** The options of a space that concern links to other replicas. */
import { kindOf, optionsOf } from "../base/check.js";
import { invalid } from "../base/error.js";
import type { IceServer, PeerOptions } from "./types.js";

/** Browsers limit how many connections of WebRTC a page has. */
const PEERS_MAX = 32;
const SERVERS_MAX = 8;
const URLS_MAX = 8;
const URL_LENGTH_MAX = 512;
const CREDENTIAL_LENGTH_MAX = 1_024;
/** See RFC 7064 and RFC 7065. */
const STUN = /^stuns?:[^\s/?#@]+$/i;
const TURN = /^turns?:[^\s/?#@]+(\?transport=(udp|tcp))?$/i;

/** A checked copy; undefined where such links are not wanted. Errors do not repeat a value, which may hold a secret. */
export function peersOf(given: unknown): PeerOptions | undefined {
  if (given === false) return undefined;
  if (given === true) return {};
  const { iceServers, maxPeers } = optionsOf<PeerOptions>("peerToPeer", given, ["iceServers", "maxPeers"]);
  if (maxPeers !== undefined && !(Number.isInteger(maxPeers) && maxPeers >= 0 && maxPeers <= PEERS_MAX)) {
    throw invalid(`maxPeers is a whole number, at most ${PEERS_MAX}`);
  }
  return {
    ...(maxPeers !== undefined && { maxPeers }),
    ...(iceServers !== undefined && { iceServers: listOf(iceServers) }),
  };
}

function listOf(iceServers: unknown): IceServer[] {
  if (!Array.isArray(iceServers)) throw invalid(`iceServers is a list of servers, not ${kindOf(iceServers)}`);
  if (iceServers.length > SERVERS_MAX) throw invalid(`iceServers lists at most ${SERVERS_MAX} servers`);
  return Array.from(iceServers as unknown[], serverOf);
}

function serverOf(given: unknown): IceServer {
  const server = optionsOf<IceServer>("a server of iceServers", given ?? null, ["urls", "username", "credential"]);
  const { username, credential } = server;
  const urls: readonly unknown[] = Array.isArray(server.urls) ? [...server.urls] : [server.urls];
  if (urls.length === 0 || urls.length > URLS_MAX) throw invalid(`a server of iceServers has 1 to ${URLS_MAX} urls`);
  if (!urls.every(isAddress)) {
    throw invalid("the urls of a server of iceServers are stun:…, stuns:…, turn:… or turns:…");
  }
  for (const text of [username, credential]) {
    if (text === undefined) continue;
    if (typeof text !== "string") throw invalid(`username and credential are strings, not ${kindOf(text)}`);
    if (text.length > CREDENTIAL_LENGTH_MAX) {
      throw invalid(`username and credential have at most ${CREDENTIAL_LENGTH_MAX} characters`);
    }
  }
  if (urls.some((url) => TURN.test(url)) && (!username || !credential)) {
    throw invalid("a TURN server of iceServers needs username and credential");
  }
  return { ...server, urls };
}

function isAddress(url: unknown): url is string {
  return typeof url === "string" && url.length <= URL_LENGTH_MAX && (STUN.test(url) || TURN.test(url));
}
