/**
 * The relay as a Cloudflare Worker: a Durable Object for each (space, region), around the core's
 * relay. It sleeps whenever nobody speaks: all it knows is in its storage, and its connections keep
 * what they need in their attachments.
 */

import wasm from "./eyot.wasm";
import {
  __wbg_reset_state,
  initSync,
  RelayEngine,
  type RelayOutput,
  type StoreScan,
  type StoreWrite,
  type SyncStore,
} from "../wasm/eyot_web.js";

/** What a Worker says of the relays that it serves. */
export interface RelayOptions {
  /** Region of this request. Default: from the platform's location of the client. */
  region?: (request: Request) => string;
  /** The regions there are; others are taken for the first of them. Default: the platform's location hints. */
  regions?: readonly string[];
  /** The origins whose pages may connect. Default: all. What is no page sends no origin. */
  origins?: readonly string[];
}

const PROTOCOL = "eyot.v1";
const BINDING = "SPACE_RELAY";
const SPACE_BYTES_MAX = 256;
const SPACE_HEADER = "x-eyot-space";
const REGION_HEADER = "x-eyot-region";

/** The platform's location hints, by the continent that a client is on. */
const HINTS: Readonly<Record<string, string>> = { AF: "afr", AS: "apac", EU: "weur", NA: "enam", OC: "oc", SA: "sam" };
const HINT_NAMES: readonly string[] = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"];

/** The core's codes for closing a link that the host itself has to use. */
const CLOSE_MALFORMED = 4000;
const CLOSE_STORAGE = 4008;
const CLOSE_GOING_AWAY = 4009;
/** A close reason can't be longer. */
const REASON_BYTES_MAX = 123;

/**
 * Answers a request to a relay's addresses; undefined for any other, which is then yours to answer.
 *
 * `GET /v1/SPACE` (WebSocket), `GET /health`, `GET /metrics`, `GET /v1/regions`. `/at/REGION` before
 * any of them names the region.
 */
export async function routeRelay(
  request: Request,
  env: unknown,
  options: RelayOptions = {},
): Promise<Response | undefined> {
  if ("keys" in options) throw new TypeError("eyot: this version of the relay does not check tokens");
  const url = new URL(request.url);
  const [, at, path] = /^(?:\/at\/([^/]+))?(\/.*)$/.exec(url.pathname) ?? [];
  const route = readRoute(path ?? "");
  if (route === undefined) return undefined;
  if (request.method !== "GET") return text(405, "only GET is answered here", { allow: "GET" });
  const origin = request.headers.get("origin");
  if (origin !== null && options.origins !== undefined && !options.origins.includes(origin)) {
    return text(403, "this origin may not use this relay");
  }
  const region = at ?? regionOf(request, options);
  if (at !== undefined && options.regions?.includes(at) !== true) return text(404, "there is no such region here");
  const cors = { "access-control-allow-origin": origin ?? "*", vary: "origin" };
  switch (route.kind) {
    case "health":
      return Response.json({ status: "ok", region }, { headers: { ...cors, "cache-control": "no-store" } });
    case "regions":
      return Response.json(directory(url, region, options.regions), { headers: cors });
    case "metrics":
      return text(200, metrics(), { "content-type": "text/plain; version=0.0.4" });
    case "space":
      return connect(request, env, route.space, region);
  }
}

type Route = { kind: "health" | "metrics" | "regions" } | { kind: "space"; space: string | undefined };

function readRoute(path: string): Route | undefined {
  if (path === "/health") return { kind: "health" };
  if (path === "/metrics") return { kind: "metrics" };
  if (path === "/v1/regions") return { kind: "regions" };
  const name = /^\/v1\/([^/]+)$/.exec(path)?.[1];
  return name === undefined ? undefined : { kind: "space", space: readSpace(name) };
}

/** The name of a space as a URL has it; undefined where it is none. */
function readSpace(encoded: string): string | undefined {
  try {
    const space = decodeURIComponent(encoded);
    return new TextEncoder().encode(space).length <= SPACE_BYTES_MAX ? space : undefined;
  } catch {
    return undefined;
  }
}

function regionOf(request: Request, { region, regions }: RelayOptions): string {
  const continent = (request as { cf?: { continent?: string } }).cf?.continent ?? "EU";
  const wanted = region?.(request) ?? HINTS[continent] ?? "weur";
  return regions === undefined || regions.includes(wanted) ? wanted : (regions[0] ?? wanted);
}

function directory(
  url: URL,
  region: string,
  regions: readonly string[] | undefined,
): { region: string; url: string }[] {
  const base = `${url.protocol === "https:" ? "wss" : "ws"}://${url.host}`;
  if (regions === undefined) return [{ region, url: base }];
  return regions.map((name) => ({ region: name, url: `${base}/at/${encodeURIComponent(name)}` }));
}

function connect(
  request: Request,
  env: unknown,
  space: string | undefined,
  region: string,
): Response | Promise<Response> {
  if (space === undefined) return text(400, `a space has a name of at most ${SPACE_BYTES_MAX} bytes`);
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return text(426, "a space is spoken to over WebSocket", { upgrade: "websocket", connection: "upgrade" });
  }
  const protocols = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
  if (!protocols.some((protocol) => protocol.trim() === PROTOCOL)) {
    return text(400, `the subprotocol ${PROTOCOL} must be asked for`);
  }
  const namespace = (env as Record<string, Namespace | undefined>)[BINDING];
  if (namespace === undefined) throw new TypeError(`eyot: the binding ${BINDING} of a Durable Object is missing`);
  const id = namespace.idFromName(`${space}\n${region}`);
  const relay = namespace.get(id, HINT_NAMES.includes(region) ? { locationHint: region } : {});
  const headers = new Headers(request.headers);
  headers.set(SPACE_HEADER, encodeURIComponent(space));
  headers.set(REGION_HEADER, encodeURIComponent(region));
  return relay.fetch(new Request(request, { headers }));
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(`${body}\n`, { status, headers });
}

/** What this isolate has seen; the platform may run many, and ends them as it likes. */
const counters = { loaded: 0, commits: 0, accepted: 0, closed: 0, framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };

function metrics(): string {
  const { loaded, commits, accepted, closed, framesIn, framesOut, bytesIn, bytesOut } = counters;
  const series: [string, string, [string, number][]][] = [
    ["eyot_relays_loaded_total", "Relays loaded from storage by this isolate.", [["", loaded]]],
    ["eyot_commits_total", "Commits stored by this isolate.", [["", commits]]],
    [
      "eyot_connections_total",
      "Connections accepted and closed by this isolate.",
      [
        ['{event="accepted"}', accepted],
        ['{event="closed"}', closed],
      ],
    ],
    [
      "eyot_frames_total",
      "Frames received and sent by this isolate.",
      [
        ['{direction="in"}', framesIn],
        ['{direction="out"}', framesOut],
      ],
    ],
    [
      "eyot_bytes_total",
      "Bytes of frames received and sent by this isolate.",
      [
        ['{direction="in"}', bytesIn],
        ['{direction="out"}', bytesOut],
      ],
    ],
  ];
  return series
    .flatMap(([name, help, samples]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} counter`,
      ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
    ])
    .join("\n");
}

/**
 * Counts the Wasm instances that this isolate has used up: one that has failed can't be trusted, and
 * neither can any relay in it.
 */
let instance = 0;

/** The relay of one space in one region: a Durable Object with SQLite storage. */
export class SpaceRelay {
  readonly #context: Context;
  readonly #links = new Map<number, Socket>();
  #engine: RelayEngine | undefined;
  #instance = 0;
  #nextLink = 1;

  constructor(context: unknown, _env: unknown) {
    this.#context = context as Context;
  }

  /** Accepts a connection that `routeRelay` hands on. */
  async fetch(request: Request): Promise<Response> {
    const space = decodeURIComponent(request.headers.get(SPACE_HEADER) ?? "");
    const region = decodeURIComponent(request.headers.get(REGION_HEADER) ?? "");
    const { 0: client, 1: socket } = new WebSocketPair();
    const engine = this.#wake(space, region);
    if (engine === undefined) return text(503, "the relay can't read its storage");
    const link = this.#nextLink++;
    this.#context.acceptWebSocket(socket);
    this.#links.set(link, socket);
    counters.accepted += 1;
    keep(socket, { space, region, link, state: new Uint8Array() });
    this.#run(engine, link, () => engine.opened(link));
    const headers = { "sec-websocket-protocol": PROTOCOL };
    return new Response(null, { status: 101, webSocket: client, headers } as ResponseInit);
  }

  webSocketMessage(socket: Socket, message: ArrayBuffer | string): void {
    const kept = attached(socket);
    const engine = this.#wake(kept.space, kept.region);
    if (engine === undefined || !this.#links.has(kept.link)) return;
    if (typeof message === "string") {
      this.#end(kept.link, CLOSE_MALFORMED, "text is not spoken here, only binary frames");
      this.#run(engine, kept.link, () => engine.closed(kept.link));
      return;
    }
    counters.framesIn += 1;
    counters.bytesIn += message.byteLength;
    this.#run(engine, kept.link, () => engine.received(kept.link, new Uint8Array(message), Date.now()));
  }

  webSocketClose(socket: Socket, code: number, reason: string): void {
    this.#gone(socket);
    // Completes the handshake. Codes that only report can't be sent.
    const sendable = code === 1000 || (code >= 3000 && code < 5000);
    close(socket, sendable ? code : 1000, sendable ? reason : "");
  }

  webSocketError(socket: Socket): void {
    this.#gone(socket);
  }

  #gone(socket: Socket): void {
    const { space, region, link } = attached(socket);
    if (this.#engine === undefined) {
      // Nothing is known of links in memory, so there is nothing to forget.
      return;
    }
    const engine = this.#wake(space, region);
    if (engine === undefined || !this.#links.delete(link)) return;
    counters.closed += 1;
    this.#run(engine, link, () => engine.closed(link));
  }

  /** The relay, made anew from storage and attachments where this object has lost its memory. */
  #wake(space: string, region: string): RelayEngine | undefined {
    if (this.#engine !== undefined) return this.#engine;
    initSync({ module: wasm });
    this.#instance = instance;
    const seed = crypto.getRandomValues(new Uint8Array(32));
    try {
      this.#engine = new RelayEngine({ space, region, seed, store: sqlStore(this.#context.storage) });
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
    counters.loaded += 1;
    for (const socket of this.#context.getWebSockets()) {
      const { link, state } = attached(socket);
      this.#nextLink = Math.max(this.#nextLink, link + 1);
      if (state.length === 0) {
        close(socket, CLOSE_GOING_AWAY, "the relay was moved; connect again");
      } else {
        this.#links.set(link, socket);
        this.#engine.resume(link, state);
      }
    }
    return this.#engine;
  }

  /** Does what the relay wants sent. Its writes are done by now, and the platform holds messages back until they are durable. */
  #run(engine: RelayEngine, link: number, call: () => RelayOutput[]): void {
    let outputs: RelayOutput[];
    try {
      const before = engine.stored();
      outputs = call();
      counters.commits += Math.max(0, engine.stored() - before);
    } catch (error) {
      this.#fail(error);
      return;
    }
    const touched = new Set([link]);
    for (const output of outputs) {
      if ("frame" in output) {
        touched.add(output.link);
        this.#send(output.link, output.frame);
      } else {
        this.#end(output.link, output.code, output.reason);
      }
    }
    for (const one of touched) this.#keep(one);
  }

  #send(link: number, frame: Uint8Array): void {
    const socket = this.#links.get(link);
    if (socket === undefined) return;
    counters.framesOut += 1;
    counters.bytesOut += frame.byteLength;
    try {
      socket.send(frame);
    } catch {
      // It is closing; the event that says so follows.
    }
  }

  #end(link: number, code: number, reason: string): void {
    const socket = this.#links.get(link);
    if (socket === undefined) return;
    this.#links.delete(link);
    counters.closed += 1;
    close(socket, code, reason);
  }

  #keep(link: number): void {
    const socket = this.#links.get(link);
    if (socket === undefined || this.#engine === undefined) return;
    keep(socket, { ...attached(socket), state: this.#engine.attachment(link) });
  }

  /** Storage failed, or the relay did. What it believes may be ahead of what is stored: all of it is dropped. */
  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const isOurs = error instanceof Error && "code" in error;
    if (!isOurs && this.#instance === instance) {
      instance += 1;
      __wbg_reset_state();
    }
    this.#engine = undefined;
    this.#links.clear();
    for (const socket of this.#context.getWebSockets()) {
      counters.closed += 1;
      close(socket, CLOSE_STORAGE, `the relay has failed: ${message}`);
    }
    console.error("eyot: the relay has failed:", isOurs ? message : error);
  }
}

/** What a connection keeps for the time after this object has lost its memory. */
interface Attachment {
  space: string;
  region: string;
  link: number;
  /** The core's part; empty while the link could not be taken up again. */
  state: Uint8Array;
}

function attached(socket: Socket): Attachment {
  return socket.deserializeAttachment() as Attachment;
}

function keep(socket: Socket, attachment: Attachment): void {
  socket.serializeAttachment(attachment);
}

function close(socket: Socket, code: number, reason: string): void {
  let shortened = reason;
  while (new TextEncoder().encode(shortened).length > REASON_BYTES_MAX) shortened = shortened.slice(0, -1);
  try {
    socket.close(code, shortened);
  } catch {
    // It was closed already.
  }
}

/** One table of ordered keys. Without a row id, a write costs one row. */
function sqlStore(storage: SqlStorage): SyncStore {
  const { sql } = storage;
  try {
    sql.exec("CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID");
  } catch (cause) {
    throw Object.assign(new Error(String(cause), { cause }), { code: "storage" });
  }
  const get = (key: Uint8Array): Uint8Array | undefined => {
    for (const { v } of sql.exec("SELECT v FROM kv WHERE k = ?", key)) return new Uint8Array(v as ArrayBuffer);
    return undefined;
  };
  return {
    get: (keys) => keys.map(get),
    scan(from, to, bytesMax): StoreScan {
      const scan: StoreScan = { keys: [], values: [], more: false };
      let bytes = 0;
      for (const { k, v } of sql.exec("SELECT k, v FROM kv WHERE k >= ? AND k < ? ORDER BY k", from, to)) {
        if (bytes > bytesMax) return { ...scan, more: true };
        const value = new Uint8Array(v as ArrayBuffer);
        bytes += value.length;
        scan.keys.push(new Uint8Array(k as ArrayBuffer));
        scan.values.push(value);
      }
      return scan;
    },
    write({ guardKey, guardValue, puts, deletes }: StoreWrite): boolean {
      return storage.transactionSync(() => {
        if (guardKey !== undefined && !equal(get(guardKey), guardValue)) return false;
        for (const key of deletes) sql.exec("DELETE FROM kv WHERE k = ?", key);
        for (const [key, value] of puts) sql.exec("INSERT OR REPLACE INTO kv (k, v) VALUES (?, ?)", key, value);
        return true;
      });
    },
  };
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

// The parts of the platform that are used here. Its own types collide with those of browsers.

interface Socket {
  send(message: Uint8Array): void;
  close(code: number, reason: string): void;
  serializeAttachment(attachment: unknown): void;
  deserializeAttachment(): unknown;
}

declare const WebSocketPair: new () => { 0: Socket; 1: Socket };

interface Context {
  readonly storage: SqlStorage;
  acceptWebSocket(socket: Socket): void;
  getWebSockets(): Socket[];
}

interface SqlStorage {
  readonly sql: { exec(query: string, ...bindings: unknown[]): Iterable<Record<string, unknown>> };
  transactionSync<T>(run: () => T): T;
}

interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown, options: { locationHint?: string }): { fetch(request: Request): Promise<Response> };
}
