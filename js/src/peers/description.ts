/**
 * What one side of a WebRTC connection must know of the other: a tenth of the SDP that browsers make. It is read from SDP,
 * packed into bytes, and made into SDP again.
 *
 * Packed: the fingerprint (32 bytes), user and password of ICE (each with its length before it), the number of candidates.
 * A candidate is a byte, 16 × kind (0 host, 1 server reflexive, 2 relayed) + form (0 IPv4, 1 IPv6, 2 a name of mDNS), then
 * the address (4 or 16 bytes) and the port (2 bytes). All of them are UDP.
 */
import { hex } from "../base/id.js";
import type { Reader, Writer } from "./bytes.js";

export interface Description {
  /** SHA-256 of the certificate. */
  readonly fingerprint: Uint8Array;
  readonly user: string;
  readonly password: string;
  readonly candidates: readonly Candidate[];
}

interface Candidate {
  readonly kind: number;
  readonly form: number;
  readonly address: Uint8Array;
  readonly port: number;
}

/** What is said of the two sides' roles in DTLS: an offer leaves it to the answer. */
export type Setup = "actpass" | "active" | "passive";

const FINGERPRINT_BYTES = 32;
const CREDENTIAL_BYTES_MAX = 64;
const CANDIDATES_MAX = 8;
/** Of those that servers gave, where there are too many. */
const FAR_CANDIDATES_MAX = 4;
const KINDS = ["host", "srflx", "relay"];
/** Of these kinds, see RFC 8445, 5.1.2. */
const PREFERENCES = [126, 100, 0];
const IPV4 = 0;
const IPV6 = 1;
const MDNS = 2;
const UUID = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\.local$/i;

/** What is needed of a session description; undefined where it lacks that. */
export function ofSdp(sdp: string): Description | undefined {
  const line = (pattern: RegExp): string | undefined => pattern.exec(sdp)?.[1];
  const fingerprint = bytesOfHex(line(/^a=fingerprint:sha-256 ([0-9a-f:]+)\s*$/im) ?? "");
  const user = line(/^a=ice-ufrag:(\S+)\s*$/m);
  const password = line(/^a=ice-pwd:(\S+)\s*$/m);
  if (fingerprint.length !== FINGERPRINT_BYTES || !isCredential(user) || !isCredential(password)) return undefined;
  const lines = sdp.matchAll(/^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ (\w+)/gim);
  const candidates = [...lines].flatMap(([, address = "", port, kind = ""]) =>
    candidateOf(address, Number(port), kind),
  );
  return { fingerprint, user, password, candidates: chosen(candidates) };
}

/** A device with many addresses must not leave out the way that somebody outside has to it. */
function chosen(candidates: Candidate[]): Candidate[] {
  if (candidates.length <= CANDIDATES_MAX) return candidates;
  const far = candidates.filter(({ kind }) => kind > 0).slice(0, FAR_CANDIDATES_MAX);
  const near = candidates.filter(({ kind }) => kind === 0).slice(0, CANDIDATES_MAX - far.length);
  return [...near, ...far];
}

/** The role in DTLS that an answer takes. */
export function setupOf(sdp: string): Setup {
  return /^a=setup:passive/m.test(sdp) ? "passive" : "active";
}

export function toSdp({ fingerprint, user, password, candidates }: Description, setup: Setup): string {
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    `a=ice-ufrag:${user}`,
    `a=ice-pwd:${password}`,
    `a=fingerprint:sha-256 ${hex(fingerprint).match(/../g)!.join(":").toUpperCase()}`,
    `a=setup:${setup}`,
    "a=sctp-port:5000",
    "a=max-message-size:262144",
    ...candidatesOf({ candidates }).map((candidate) => `a=${candidate}`),
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}

/** As they are told one by one. */
export function candidatesOf({ candidates }: Pick<Description, "candidates">): string[] {
  return candidates.map((candidate, index) => `candidate:${lineOf(candidate, index)}`);
}

export function pack({ fingerprint, user, password, candidates }: Description, to: Writer): void {
  to.bytes(fingerprint);
  for (const text of [user, password]) {
    to.byte(text.length);
    to.bytes(new TextEncoder().encode(text));
  }
  to.byte(candidates.length);
  for (const { kind, form, address, port } of candidates) {
    to.byte(16 * kind + form);
    to.bytes(address);
    to.number(port, 2);
  }
}

/** Undefined where the bytes are no description. */
export function unpack(from: Reader): Description | undefined {
  const fingerprint = from.bytes(FINGERPRINT_BYTES);
  const [user, password] = [text(from), text(from)];
  if (!isCredential(user) || !isCredential(password)) return undefined;
  const count = from.byte();
  if (count > CANDIDATES_MAX) return undefined;
  const candidates: Candidate[] = [];
  for (let n = 0; n < count; n++) {
    const head = from.byte();
    const [kind, form] = [head >> 4, head & 15];
    if (kind >= KINDS.length || form > MDNS) return undefined;
    candidates.push({ kind, form, address: from.bytes(form === IPV4 ? 4 : 16), port: from.number(2) });
  }
  return { fingerprint, user, password, candidates };
}

function text(from: Reader): string {
  return new TextDecoder().decode(from.bytes(from.byte()));
}

/** As ICE allows them, so that nothing else gets into an SDP. */
function isCredential(text: string | undefined): text is string {
  return text !== undefined && /^[A-Za-z0-9+/]{4,}$/.test(text) && text.length <= CREDENTIAL_BYTES_MAX;
}

/** None where the address can't be packed: one that is only good on one link of this device, for example. */
function candidateOf(address: string, port: number, kind: string): Candidate[] {
  const known = KINDS.indexOf(kind);
  const uuid = UUID.exec(address);
  if (known < 0 || !(port > 0 && port < 65_536)) return [];
  const candidate = (form: number, address: Uint8Array): Candidate[] => [{ kind: known, form, address, port }];
  if (uuid) return candidate(MDNS, bytesOfHex(uuid.slice(1).join("")));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(address)) return candidate(IPV4, new Uint8Array(address.split(".").map(Number)));
  if (/^[0-9a-f:]+$/i.test(address) && !/^fe80:/i.test(address)) {
    const bytes = bytesOfIpv6(address);
    if (bytes !== undefined) return candidate(IPV6, bytes);
  }
  return [];
}

function lineOf({ kind, form, address, port }: Candidate, index: number): string {
  const priority = PREFERENCES[kind]! * 2 ** 24 + (65_535 - index) * 256 + 255;
  const line = `${index + 1} 1 udp ${priority} ${textOf(form, address)} ${port} typ ${KINDS[kind]}`;
  // Where the other side really is, is nobody's business: it is not checked.
  return kind === 0 ? line : `${line} raddr 0.0.0.0 rport 0`;
}

function textOf(form: number, address: Uint8Array): string {
  if (form === IPV4) return address.join(".");
  const digits = hex(address);
  if (form === MDNS) return `${digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")}.local`;
  return digits.match(/.{4}/g)!.join(":");
}

function bytesOfIpv6(address: string): Uint8Array | undefined {
  const [head = "", tail, ...more] = address.split("::");
  if (more.length > 0) return undefined;
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...before, ...Array.from({ length: missing }, () => "0"), ...after];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return bytesOfHex(all.map((group) => group.padStart(4, "0")).join(""));
}

/** Colons between digits do not count. */
function bytesOfHex(digits: string): Uint8Array {
  return new Uint8Array((digits.replaceAll(":", "").match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
}
