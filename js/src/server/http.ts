/** The relay's HTTP server: the routes, and who may open a WebSocket. Paths, codes and texts are those of the native relay. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { isIP, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { PROTOCOL } from "../access/admission.js";
import { publishedKeys, TICKET_KEY } from "../access/ticket-key.js";
import { messageOf } from "../base/error.js";
import { busy, type ChangesAnswer, type ChangesQuery, readQuery } from "../host/changes.js";
import { counters, metrics } from "../host/metrics.js";
import type { HostSocket } from "../host/relay.js";
import type { Settings } from "./flags.js";
import { FRAME_BYTES_MAX, hostSocket } from "./sockets.js";

const SPACE_BYTES_MAX = 256;
/** Connections at the same time. */
const CONNECTIONS_MAX = 10_000;
/** How long whoever comes may take for a request. */
const REQUEST_MS = 10_000;
/** Bytes of pages of what is stored that are being sent, and how long whoever asked may take to read one. */
const SENDING_BYTES_MAX = 64 * 2 ** 20;
const SENDING_MS = 60_000;
const CHANGES = /^(\/v1\/[^/]+)\/changes$/;

export interface Pages extends Pick<Settings, "region" | "peers" | "publicUrl" | "origins"> {
  isOpen: boolean;
  ticketKey: string;
  accept(socket: HostSocket, space: string): void;
  changes(space: string, token: string | undefined, query: ChangesQuery): Promise<ChangesAnswer>;
}

interface Answer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** A server that does not listen yet. */
export function httpServer(pages: Pages): Server {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    handleProtocols: () => PROTOCOL,
  });
  let sending = 0;
  const server = createServer((request, response) => {
    const respond = ({ status, body, headers }: Answer): void => {
      response.writeHead(status, { connection: "close", ...headers }).end(body);
    };
    if (!CHANGES.test(pathOf(request))) return respond(answer(request, pages));
    const send = (page: Answer): void => {
      // Whoever has gone is sent nothing.
      if (response.destroyed) return;
      const { length } = page.body;
      if (sending + length > SENDING_BYTES_MAX) return respond(busy());
      sending += length;
      const timer = setTimeout(() => response.destroy(), SENDING_MS);
      response.once("close", () => {
        clearTimeout(timer);
        sending -= length;
      });
      respond(page);
    };
    changes(request, pages).then(send, (error: unknown) => {
      console.error(`eyot: a page of what is stored can't be made: ${messageOf(error)}`);
      respond(text(503, "the relay has failed"));
    });
  });
  server.requestTimeout = server.headersTimeout = REQUEST_MS;
  server.maxConnections = CONNECTIONS_MAX;
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const space = spaceOf(pathOf(request));
    const refused = space === undefined || !isWebSocket(request) ? answer(request, pages) : refusal(request, pages);
    if (refused !== undefined || space === undefined) return refuse(socket, refused!);
    sockets.handleUpgrade(request, socket, head, (opened) => pages.accept(hostSocket(opened), space));
  });
  return server;
}

/** What is wrong with a request for a WebSocket. */
function refusal(request: IncomingMessage, pages: Pages): Answer | undefined {
  if (request.method !== "GET") return onlyGet();
  const { origin } = request.headers;
  if (!isAllowed(origin, pages)) return forbidden();
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
  if (!offered.includes(PROTOCOL)) return text(400, `the subprotocol ${PROTOCOL} must be asked for`);
  return undefined;
}

/** `GET /v1/SPACE/changes`. */
async function changes(request: IncomingMessage, pages: Pages): Promise<Answer> {
  if (request.method !== "GET") return onlyGet();
  const { origin, authorization = "" } = request.headers;
  if (!isAllowed(origin, pages)) return forbidden();
  const space = spaceOf(pathOf(request).replace(CHANGES, "$1"));
  if (space === undefined) return text(400, `a space has a name of at most ${SPACE_BYTES_MAX} bytes`);
  const query = readQuery(new URL(request.url ?? "", "http://relay").searchParams);
  if ("status" in query) return query;
  return pages.changes(space, /^bearer (.+)$/i.exec(authorization)?.[1], query);
}

function answer(request: IncomingMessage, pages: Pages): Answer {
  const path = pathOf(request);
  const isPage = ["/health", "/metrics", "/v1/regions", "/v1/keys"].includes(path);
  if (!isPage && !/^\/v1\/[^/]+$/.test(path)) return text(404, "there is nothing here");
  if (request.method !== "GET") return onlyGet();
  const { origin } = request.headers;
  if (!isAllowed(origin, pages)) return forbidden();
  const readable = { "access-control-allow-origin": origin ?? "*", vary: "origin" };
  switch (path) {
    case "/health":
      return json({ status: "ok", region: pages.region }, { ...readable, "cache-control": "no-store" });
    case "/metrics":
      return { status: 200, body: metrics(), headers: { "content-type": "text/plain; version=0.0.4" } };
    case "/v1/regions":
      return json(regions(request, pages), readable);
    case "/v1/keys":
      return json(publishedKeys({ [TICKET_KEY]: pages.ticketKey }), readable);
  }
  if (spaceOf(path) === undefined) return text(400, `a space has a name of at most ${SPACE_BYTES_MAX} bytes`);
  const upgrade = { upgrade: "websocket", connection: "upgrade" };
  return text(426, "a space is spoken to over WebSocket", upgrade);
}

function regions(request: IncomingMessage, { region, peers, publicUrl }: Pages): { region: string; url: string }[] {
  // Not the host of the request: whoever asks may say there what it likes.
  const { localAddress = "", localPort } = request.socket;
  const url = publicUrl ?? `ws://${isIP(localAddress) === 6 ? `[${localAddress}]` : localAddress}:${localPort}`;
  return [{ region, url }, ...peers];
}

/** Whether pages of that origin may connect. What is no page says none, and may. */
function isAllowed(origin: string | undefined, { origins, isOpen }: Pages): boolean {
  const isListed = origins.length === 0 ? !isOpen || isLoopback(origin ?? "") : origins.includes(origin ?? "");
  const is = origin === undefined || origins.includes("*") || isListed;
  if (!is) counters.originsRefused += 1;
  return is;
}

function isLoopback(origin: string): boolean {
  let host;
  try {
    host = new URL(origin).hostname;
  } catch {
    return false;
  }
  const address = host.replace(/^\[|\]$/g, "");
  if (isIP(address) === 4) return address.startsWith("127.");
  return address === "::1" || host === "localhost" || host.endsWith(".localhost");
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

function pathOf({ url = "" }: IncomingMessage): string {
  return url.replace(/[?#].*$/, "");
}

/** The name of a space in a path; undefined where there is none, or no good one. */
function spaceOf(path: string): string | undefined {
  const [, name] = /^\/v1\/([^/]+)$/.exec(path) ?? [];
  if (name === undefined) return undefined;
  try {
    const space = decodeURIComponent(name);
    return new TextEncoder().encode(space).length <= SPACE_BYTES_MAX ? space : undefined;
  } catch {
    return undefined;
  }
}

function onlyGet(): Answer {
  return text(405, "only GET is answered here", { allow: "GET" });
}

function forbidden(): Answer {
  return text(403, "this origin may not use this relay");
}

function json(value: unknown, headers: Record<string, string>): Answer {
  return { status: 200, body: JSON.stringify(value), headers: { ...headers, "content-type": "application/json" } };
}

function text(status: number, line: string, headers: Record<string, string> = {}): Answer {
  return { status, body: `${line}\n`, headers: { "content-type": "text/plain;charset=UTF-8", ...headers } };
}

function refuse(socket: Duplex, { status, body, headers }: Answer): void {
  const all = { connection: "close", "content-length": String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join("")}\r\n${body}`);
}

/** Where a server listens. */
export function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
