/**
 * The relay of a space in a region: a Durable Object around the core's relay. It sleeps whenever nobody speaks: all
 * it knows is in its storage, and its connections keep what they need in their attachments.
 */

import wasm from "../compiled.js";
import { __wbg_reset_state, initSync, type RelayClaims, RelayEngine, type RelayOutput } from "../../wasm/eyot_web.js";
import { addressOf, dial } from "./dial.js";
import { countClosed, counters } from "./metrics.js";
import { PROTOCOL, type Setup, toldBy } from "./options.js";
import type { Context, Socket } from "./platform.js";
import { readSetup, saveSetup, sqlStore } from "./store.js";
import { TokenRefused, verifyToken } from "./token.js";
import { Wakes } from "./wakes.js";

/** What a connection ended with that has broken. */
const CLOSE_ABNORMAL = 1006;
/** The core's codes for closing a link that the host itself has to use. */
const CLOSE_MALFORMED = 4000;
const CLOSE_STORAGE = 4008;
const CLOSE_GOING_AWAY = 4009;
/** A close reason can't be longer. */
const REASON_BYTES_MAX = 123;
/** The core numbers the links that it dials from here on. */
const DIALLED_MIN = 2 ** 32;
/** An object may hold 10 GB; what the log's rows take besides commits must fit in too. */
const SPACE_BYTES_MAX = 8 * 2 ** 30;

/**
 * Counts the Wasm instances that this isolate has used up: one that has failed can't be trusted, and
 * neither can any relay in it.
 */
let instance = 0;

/** The relay of one space in one region: a Durable Object with SQLite storage. */
export class SpaceRelay {
  readonly #context: Context;
  readonly #env: unknown;
  readonly #wakes: Wakes;
  readonly #links = new Map<number, Socket>();
  /** Links that the core wants and that are not open yet. */
  readonly #dialling = new Set<number>();
  #setup: Setup | undefined;
  #engine: RelayEngine | undefined;
  #instance = 0;
  #nextLink = 1;

  constructor(context: unknown, env: unknown) {
    this.#context = context as Context;
    this.#env = env;
    this.#wakes = new Wakes(this.#context.storage, () => this.#due());
    void this.#context.blockConcurrencyWhile(() => this.#wakes.load());
    // Whoever measures how far this relay is does not wake it.
    this.#context.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** Accepts a connection that `routeRelay` or a relay of another region hands on. */
  async fetch(request: Request): Promise<Response> {
    const told = toldBy(request);
    if (told === undefined) return new Response("a relay is reached through routeRelay\n", { status: 403 });
    this.#learn(told.setup, told.from);
    const engine = this.#wake();
    if (engine === undefined) return new Response("the relay can't read its storage\n", { status: 503 });
    this.#wakes.spoken();
    const { 0: client, 1: socket } = new WebSocketPair();
    const link = this.#nextLink++;
    this.#context.acceptWebSocket(socket);
    this.#links.set(link, socket);
    counters.accepted += 1;
    keep(socket, { link, from: told.from, expiresAt: Infinity, state: new Uint8Array() });
    this.#run(engine, () => engine.opened(link));
    const headers = { "sec-websocket-protocol": PROTOCOL };
    return new Response(null, { status: 101, webSocket: client, headers } as ResponseInit);
  }

  webSocketMessage(socket: Socket, message: ArrayBuffer | string): void {
    const engine = this.#wake();
    if (engine !== undefined) this.#received(engine, attached(socket).link, message);
  }

  webSocketClose(socket: Socket, code: number, reason: string): void {
    this.#gone(socket, code);
    // Completes the handshake. Codes that only report can't be sent.
    const sendable = code === 1000 || (code >= 3000 && code < 5000);
    close(socket, sendable ? code : 1000, sendable ? reason : "");
  }

  webSocketError(socket: Socket): void {
    this.#gone(socket, CLOSE_ABNORMAL);
  }

  async alarm(): Promise<void> {
    await this.#wakes.ring();
    for (const socket of this.#context.getWebSockets()) this.#wakes.expires(attached(socket).expiresAt);
    this.#due();
  }

  #gone(socket: Socket, code: number): void {
    // Without a relay in memory nothing is known of links, so there is nothing to forget.
    if (this.#engine !== undefined) this.#closed(this.#engine, attached(socket).link, code);
  }

  #received(engine: RelayEngine, link: number, message: ArrayBuffer | string): void {
    if (!this.#links.has(link)) return;
    this.#wakes.spoken();
    if (typeof message === "string") {
      this.#end(link, CLOSE_MALFORMED, "text is not spoken here, only binary frames");
      this.#run(engine, () => engine.closed(link));
      return;
    }
    counters.framesIn += 1;
    counters.bytesIn += message.byteLength;
    this.#run(engine, () => engine.received(link, new Uint8Array(message), Date.now()), link);
  }

  #closed(engine: RelayEngine, link: number, code: number): void {
    if (!this.#links.delete(link)) return;
    countEnd(link, code);
    this.#run(engine, () => engine.closed(link));
  }

  #due(): void {
    const engine = this.#wake();
    if (engine !== undefined) this.#run(engine, () => engine.timer());
  }

  /**
   * Takes what `routeRelay` was last given, which a new version of the Worker may have changed. A peer's word counts
   * only where there is no other: it may know less than this object was told.
   */
  #learn(setup: Setup, from: string | undefined): void {
    const known = (this.#setup ??= readSetup(this.#context.storage));
    if (known !== undefined && (from !== undefined || JSON.stringify(known) === JSON.stringify(setup))) return;
    saveSetup(this.#context.storage, setup);
    this.#setup = setup;
    const engine = this.#engine;
    if (engine === undefined) return;
    this.#run(engine, () => engine.suspend());
    if (this.#engine !== engine) return;
    this.#engine = undefined;
    this.#links.clear();
    this.#dialling.clear();
    engine.free();
  }

  /** The relay, made anew from storage and attachments where this object has lost its memory. */
  #wake(): RelayEngine | undefined {
    if (this.#engine !== undefined) return this.#engine;
    const setup = (this.#setup ??= readSetup(this.#context.storage));
    if (setup === undefined) return undefined;
    initSync({ module: wasm });
    this.#instance = instance;
    let engine: RelayEngine;
    let outputs: RelayOutput[];
    try {
      engine = new RelayEngine({
        space: setup.space,
        region: setup.region,
        peers: setup.peers.map((peer) => ({ region: peer.region, url: addressOf(peer) })),
        token: setup.peerToken,
        caps: { spaceBytesMax: SPACE_BYTES_MAX, ...setup.caps },
        seed: crypto.getRandomValues(new Uint8Array(32)),
        store: sqlStore(this.#context.storage),
      });
      outputs = engine.start();
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
    this.#engine = engine;
    counters.loaded += 1;
    for (const socket of this.#context.getWebSockets()) {
      const { link, expiresAt, state } = attached(socket);
      this.#nextLink = Math.max(this.#nextLink, link + 1);
      this.#wakes.expires(expiresAt);
      if (state.length === 0) {
        close(socket, CLOSE_GOING_AWAY, "the relay was moved; connect again");
      } else {
        this.#links.set(link, socket);
        engine.resume(link, state);
      }
    }
    this.#run(engine, () => outputs);
    return this.#engine;
  }

  /** Does what the relay wants done. Its writes are done by now, and the platform holds messages back until they are durable. */
  #run(engine: RelayEngine, call: () => RelayOutput[], link?: number): void {
    let outputs: RelayOutput[];
    try {
      const before = engine.counters();
      outputs = call();
      const after = engine.counters();
      counters.commitsIn += after.commitsIn - before.commitsIn;
      counters.commitsOut += after.commitsOut - before.commitsOut;
    } catch (error) {
      this.#fail(error);
      return;
    }
    const touched = new Set(link === undefined ? [] : [link]);
    for (const output of outputs) {
      touched.add(output.link);
      if ("frame" in output) this.#send(output.link, output.frame);
      else if ("code" in output) this.#end(output.link, output.code, output.reason);
      else if ("dial" in output) this.#context.waitUntil(this.#dial(engine, output.link, output.dial));
      else this.#context.waitUntil(this.#authorize(engine, output.link, output.authorize));
    }
    for (const one of touched) this.#keep(engine, one);
    const regions = engine.regions();
    const owes = regions.some(({ behind }) => behind > 0);
    const isLinked = regions.some(({ isLinked }) => isLinked);
    this.#wakes.plan(engine.deadline(), { owes, isLinked });
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
    this.#dialling.delete(link);
    const socket = this.#links.get(link);
    if (socket === undefined) return;
    this.#links.delete(link);
    countEnd(link, code);
    close(socket, code, reason);
  }

  async #dial(engine: RelayEngine, link: number, address: string): Promise<void> {
    this.#dialling.add(link);
    let socket: Socket;
    try {
      if (this.#setup === undefined) throw new Error("a relay knows its peers");
      socket = await dial(address, this.#setup, this.#env);
    } catch (error) {
      counters.regionLinksFailed += 1;
      console.warn(`eyot: there is no link to the relay at ${address}:`, String(error));
      if (this.#engine === engine && this.#dialling.delete(link)) this.#run(engine, () => engine.closed(link));
      return;
    }
    const isWanted = this.#engine === engine && this.#dialling.delete(link);
    const ifCurrent = (then: () => void) => () => this.#engine === engine && then();
    socket.addEventListener("message", ({ data }) => ifCurrent(() => this.#received(engine, link, data))());
    for (const end of ["close", "error"] as const) {
      socket.addEventListener(
        end,
        ifCurrent(() => this.#closed(engine, link, CLOSE_ABNORMAL)),
      );
    }
    socket.accept();
    if (!isWanted) return close(socket, CLOSE_GOING_AWAY, "this link is not needed any more");
    counters.regionLinksOpened += 1;
    this.#links.set(link, socket);
    this.#run(engine, () => engine.opened(link));
  }

  async #authorize(engine: RelayEngine, link: number, token: string | undefined): Promise<void> {
    const verdict = await this.#judge(link, token);
    const socket = this.#links.get(link);
    if (this.#engine !== engine || socket === undefined) return;
    if (verdict instanceof TokenRefused) {
      this.#run(engine, () => engine.refused(link, verdict.hasExpired, verdict.message), link);
      return;
    }
    const { expiresAt = Infinity } = verdict;
    keep(socket, { ...attached(socket), expiresAt });
    this.#wakes.expires(expiresAt);
    this.#run(engine, () => engine.authorized(link, verdict), link);
  }

  async #judge(link: number, token: string | undefined): Promise<RelayClaims | TokenRefused> {
    const socket = this.#links.get(link);
    if (socket === undefined || this.#setup === undefined) return new TokenRefused("the relay can't get its keys");
    const { from } = attached(socket);
    if (from !== undefined) return { subject: `relay ${from}`, spaces: [["*", "write"]], isRelay: true };
    if (this.#setup.keys === "open") return { subject: "", spaces: [["*", "write"]], isRelay: true };
    try {
      return await verifyToken(token, this.#setup.keys);
    } catch (error) {
      if (error instanceof TokenRefused) return error;
      console.error("eyot: a token can't be checked:", String(error));
      return new TokenRefused("the relay can't get its keys");
    }
  }

  #keep(engine: RelayEngine, link: number): void {
    const socket = this.#links.get(link);
    if (socket === undefined || link >= DIALLED_MIN || this.#engine !== engine) return;
    keep(socket, { ...attached(socket), state: engine.attachment(link) });
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
    this.#dialling.clear();
    const reason = `the relay has failed: ${message}`;
    for (const link of this.#links.keys()) this.#end(link, CLOSE_STORAGE, reason);
    for (const socket of this.#context.getWebSockets()) close(socket, CLOSE_STORAGE, reason);
    console.error("eyot: the relay has failed:", isOurs ? message : error);
  }
}

function countEnd(link: number, code: number): void {
  if (link >= DIALLED_MIN) counters.regionLinksClosed += 1;
  else countClosed(code);
}

/** What a connection keeps for the time after this object has lost its memory. */
interface Attachment {
  link: number;
  /** The region of the relay that this link is to, where the platform vouches for it. */
  from: string | undefined;
  /** When its token does. */
  expiresAt: number;
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
