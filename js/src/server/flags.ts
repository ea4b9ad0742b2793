/** The flags of `eyot relay`: those of the native relay by the same names, as far as they concern this one. */
import { isIP } from "node:net";
import { type FlagSpec, type Given, Mistake, readFlags } from "./command-line.js";

export interface Peer {
  region: string;
  url: string;
}

/** What the command line says, checked. */
export interface Settings {
  region: string;
  host: string;
  port: number;
  data: string;
  peers: readonly Peer[];
  peerToken: string | undefined;
  isOpen: boolean;
  jwtKey: string | undefined;
  jwtSecret: string | undefined;
  ticketKey: string | undefined;
  origins: readonly string[];
  publicUrl: string | undefined;
}

/** The same as in the protocol. */
const REGION_BYTES_MAX = 48;
const DEFAULT_PORT = 7701;

export const FLAGS: Readonly<Record<string, FlagSpec>> = {
  region: { value: "REGION", help: "Region of this relay", isRequired: true, check: checkRegion },
  data: { value: "DIR", help: "Folder for the relay's data", isRequired: true, check: checkPath },
  port: {
    value: "PORT",
    help: `Port to listen at, on this machine only. With 0, any free port. Default: ${DEFAULT_PORT}`,
    check: checkPort,
    conflicts: ["listen"],
  },
  listen: { value: "ADDRESS:PORT", help: "Address to listen at", check: readAddress, conflicts: ["port"] },
  auth: {
    value: "AUTH",
    help: "Who may connect: open, everybody. Required without keys, unless the address is a loopback address",
    values: ["open"],
    conflicts: ["jwt-key", "jwt-secret"],
  },
  "jwt-key": {
    value: "FILE",
    help: "File with keys that sign tokens: a JWK, an array or a set of JWKs. SIGHUP reads it again",
    check: checkPath,
    conflicts: ["auth", "jwt-secret"],
  },
  "jwt-secret": {
    value: "FILE",
    help: "File with a secret of at least 32 bytes that signs tokens (HS256). SIGHUP reads it again",
    check: checkPath,
    conflicts: ["auth", "jwt-key"],
  },
  origin: {
    value: "URL",
    help: "Web origin whose pages may connect, or * for all. May be repeated. Default: all where tokens are asked for, otherwise those of this machine",
    isRepeated: true,
    check: checkOrigin,
  },
  peer: { value: "REGION=URL", help: "Relay of another region. May be repeated", isRepeated: true, check: readPeer },
  "peer-token": { value: "FILE", help: "File with the token that this relay sends to its peers", check: checkPath },
  "public-url": {
    value: "URL",
    help: "URL at which clients reach this relay, for the directory at /v1/regions",
    check: readUrl,
  },
  "ticket-key": {
    value: "FILE",
    help: "File with the private key (Ed25519, as JWK) that signs tickets for direct links. Default: a key of its own, in the data folder",
    check: checkPath,
  },
  help: { help: "Print this" },
};

/** The settings; undefined where help is asked for. Throws a `Mistake`. */
export function settingsOf(args: readonly string[]): Settings | undefined {
  const given = readFlags(args, FLAGS);
  if (given.has("help")) return undefined;
  const settings = settingsFrom(given);
  const names = [settings.region, ...settings.peers.map((peer) => peer.region)];
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new Mistake(`there is more than one relay for region ${twice}`);
  return settings;
}

function settingsFrom(given: Given): Settings {
  const one = (name: string): string | undefined => given.get(name)?.[0];
  const listen = one("listen");
  const { host, port } =
    listen === undefined ? { host: "127.0.0.1", port: Number(one("port") ?? DEFAULT_PORT) } : readAddress(listen);
  const publicUrl = one("public-url");
  return {
    region: one("region")!,
    host,
    port,
    data: one("data")!,
    peers: (given.get("peer") ?? []).map(readPeer),
    peerToken: one("peer-token"),
    isOpen: given.has("auth"),
    jwtKey: one("jwt-key"),
    jwtSecret: one("jwt-secret"),
    ticketKey: one("ticket-key"),
    origins: given.get("origin") ?? [],
    publicUrl: publicUrl === undefined ? undefined : readUrl(publicUrl),
  };
}

function checkRegion(name: string): void {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) throw new Mistake("a region's name has no control characters");
  const bytes = new TextEncoder().encode(name).length;
  if (bytes === 0 || bytes > REGION_BYTES_MAX) {
    throw new Mistake(`a region has a name of 1 to ${REGION_BYTES_MAX} bytes`);
  }
}

function checkPath(path: string): void {
  if (path === "") throw new Mistake("a path is not empty");
}

function checkPort(text: string): void {
  if (!/^\d{1,5}$/.test(text)) throw new Mistake("invalid digit found in string");
  if (Number(text) > 65_535) throw new Mistake(`${text} is not in 0..=65535`);
}

function readAddress(text: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const isAddress = isIP(host) === (bracketed === undefined ? 4 : 6);
  if (!isAddress || Number(port) > 65_535) throw new Mistake("invalid socket address syntax");
  return { host, port: Number(port) };
}

/** An address is told to everybody who asks for the directory. */
function readUrl(text: string): string {
  if (!/^wss?:\/\//.test(text)) throw new Mistake("an address begins with ws:// or wss://");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new Mistake("an address names a host");
  }
  if (
    text
      .replace(/^wss?:\/\//, "")
      .split("/")[0]!
      .includes("@")
  ) {
    throw new Mistake("an address has no user and no password; use --peer-token");
  }
  if (url.search !== "" || text.includes("?")) throw new Mistake("an address has no query");
  if (/\s/.test(text)) throw new Mistake("not an address: it has blanks");
  return text.replace(/\/+$/, "");
}

function readPeer(text: string): Peer {
  const at = text.indexOf("=");
  if (at < 0) throw new Mistake("a peer is given as REGION=URL");
  const region = text.slice(0, at);
  checkRegion(region);
  return { region, url: readUrl(text.slice(at + 1)) };
}

function checkOrigin(text: string): void {
  if (text === "*") return;
  let origin: string | undefined;
  try {
    origin = new URL(text).origin;
  } catch {
    // Said below.
  }
  if (origin === undefined || !/^https?:/.test(text) || origin !== text.toLowerCase()) {
    throw new Mistake("an origin is given as https://HOST, with a port where it has one and without a path");
  }
}
