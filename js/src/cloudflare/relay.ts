/**
 * The relay of a space in a region: a Durable Object around the core's relay. It sleeps while nobody sends anything.
 * Everything it needs to go on is in its storage and in the attachments of its connections.
 */

import {
  CLOSE_DONE,
  CLOSE_EXPIRED,
  CLOSE_GOING_AWAY,
  CLOSE_GONE,
  CLOSE_MALFORMED,
  CLOSE_STORAGE,
} from "../base/close-codes.js";
import { type Comer, PROTOCOL } from "../access/admission.js";
import { Refused } from "../access/refused.js";
import { readAttachment, writeAttachment } from "./attachment.js";
import { closeSocket } from "./close.js";
import { addressOf, dial } from "./dial.js";
import { failInstance, type RelayClaims, RelayEngine, type RelayOutput, startInstance } from "./instance.js";
import { isDialled, Links } from "./links.js";
import { ChangesFeed, type ChangesQuery, refusedBy } from "../host/changes.js";
import { counters } from "../host/metrics.js";
import { peerToken } from "./object.js";
import type { Context, Socket } from "./platform.js";
import { askWorker } from "./renewal.js";
import { Revoked, type RevokedSubject } from "./revoked.js";
import { readSetup, saveSetup, type Setup, toldBy } from "./setup.js";
import { hasStore, NO_STORE, sqlStore } from "./store.js";
import { signTicket, TICKET_KEY } from "../access/ticket-key.js";
import { Wakes } from "./wakes.js";

/** An object may hold 10 GB. The rest is for what the rows of the log take besides commits. */
const SPACE_BYTES_MAX = 8 * 2 ** 30;

const REVOKED = "the token was revoked";

/** The relay of one space in one region: a Durable Object with SQLite storage. */
export class SpaceRelay {
  readonly #context: Context;
  readonly #env: unknown;
  readonly #wakes: Wakes;
  readonly #links = new Links();
  /** Who has come, by link, until the core asks. */
  readonly #comers = new Map<number, Comer>();
  readonly #changes = new ChangesFeed();
  readonly #revoked: Revoked;
  #setup: Setup | undefined;
  #engine: RelayEngine | undefined;
  /** The Wasm instance of the engine. */
  #instance = 0;
  #nextLink = 1;

  constructor(context: unknown, env: unknown) {
    this.#context = context as Context;
    this.#env = env;
    this.#revoked = new Revoked(this.#context.storage);
    this.#wakes = new Wakes(this.#context.storage, () => this.#due());
    void this.#context.blockConcurrencyWhile(() => this.#wakes.load());
    // Answered by the platform, so that clients that measure their distance to this relay do not wake it.
    this.#context.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** Accepts a connection that comes from `routeRelay` or from a relay of another region. */
  async fetch(request: Request): Promise<Response> {
    const told = toldBy(request);
    if (told === undefined) return new Response("a relay is reached through routeRelay\n", { status: 403 });
    if (told.changes !== undefined) return this.#page(told.setup, told.comer, told.changes);
    if (told.revoke !== undefined) return this.#revoke(told.revoke);
    this.#learn(told.setup, told.from);
    const engine = this.#wake();
    if (engine === undefined) return new Response("the relay can't read its storage\n", { status: 503 });
    this.#wakes.spoken();
    const { 0: client, 1: socket } = new WebSocketPair();
    const link = this.#nextLink++;
    this.#context.acceptWebSocket(socket);
    this.#links.add(link, socket);
    counters.accepted += 1;
    writeAttachment(socket, { link, expiresAt: Infinity, state: new Uint8Array() });
    this.#comers.set(link, told.comer);
    this.#run(engine, () => engine.opened(link));
    const headers = { "sec-websocket-protocol": PROTOCOL };
    return new Response(null, { status: 101, webSocket: client, headers } as ResponseInit);
  }

  /** A page of what is stored. The object stores nothing for it, and its relay need not run. */
  #page({ space, caps }: Setup, { claims, issuedAt }: Comer, query: ChangesQuery): Response {
    if (this.#revoked.has(claims.subject, issuedAt)) {
      const answer = refusedBy(new Refused(CLOSE_EXPIRED, REVOKED));
      return new Response(answer.body, answer);
    }
    const instance = startInstance();
    const storage = this.#context.storage;
    const store = hasStore(storage) ? sqlStore(storage) : NO_STORE;
    try {
      const page = this.#changes.answer(store, space, claims, query, Date.now(), caps?.subjectReadsPerSecond);
      return new Response(page.body, page);
    } catch (error) {
      // Nothing of the instance can be trusted any more. Links that are up by it end when they are used.
      failInstance(instance);
      console.error("eyot: a page of what is stored can't be made:", error);
      return new Response("the relay has failed\n", { status: 503 });
    }
  }

  /** Somebody's tokens count no more: links that are up by one of them end, also those that slept. */
  #revoke(revoked: RevokedSubject): Response {
    this.#revoked.add(revoked);
    const sockets = this.#context.getWebSockets();
    const engine = sockets.length === 0 ? undefined : this.#wake();
    for (const socket of sockets) {
      const { link, issuedAt } = readAttachment(socket);
      const subject = engine?.subject(link);
      if (engine === undefined || subject === undefined || this.#engine !== engine) continue;
      if (this.#revoked.has(subject, issuedAt)) this.#run(engine, () => engine.refused(link, true, REVOKED), link);
    }
    return new Response();
  }

  webSocketMessage(socket: Socket, message: ArrayBuffer | string): void {
    const engine = this.#wake();
    if (engine !== undefined) this.#received(engine, readAttachment(socket).link, message);
  }

  webSocketClose(socket: Socket, code: number, reason: string): void {
    this.#gone(socket, code);
    // Completes the closing handshake. Codes that only report how a connection ended cannot be sent.
    const sendable = code === CLOSE_DONE || (code >= 3000 && code < 5000);
    closeSocket(socket, sendable ? code : CLOSE_DONE, sendable ? reason : "");
  }

  webSocketError(socket: Socket): void {
    this.#gone(socket, CLOSE_GONE);
  }

  async alarm(): Promise<void> {
    await this.#wakes.ring();
    for (const socket of this.#context.getWebSockets()) this.#wakes.expires(readAttachment(socket).expiresAt);
    this.#due();
  }

  #gone(socket: Socket, code: number): void {
    // Without an engine in memory there are no links to end.
    if (this.#engine !== undefined) this.#closed(this.#engine, readAttachment(socket).link, code);
  }

  #received(engine: RelayEngine, link: number, message: ArrayBuffer | string): void {
    if (this.#links.get(link) === undefined) return;
    this.#wakes.spoken();
    if (typeof message === "string") {
      this.#links.end(link, CLOSE_MALFORMED, "text is not spoken here, only binary frames");
      this.#run(engine, () => engine.closed(link));
      return;
    }
    counters.framesIn += 1;
    counters.bytesIn += message.byteLength;
    this.#run(engine, () => engine.received(link, new Uint8Array(message), Date.now()), link);
  }

  #closed(engine: RelayEngine, link: number, code: number): void {
    this.#comers.delete(link);
    if (this.#links.ended(link, code)) this.#run(engine, () => engine.closed(link));
  }

  #due(): void {
    const engine = this.#wake();
    if (engine !== undefined) this.#run(engine, () => engine.timer());
  }

  /**
   * Takes the setup of a request. A new version of the Worker may have changed it. A setup from another relay is used
   * only if there is none yet, because that relay may know an older one.
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
    engine.free();
  }

  /** The engine. If the object has lost its memory, the engine is made again from storage and attachments. */
  #wake(): RelayEngine | undefined {
    if (this.#engine !== undefined) return this.#engine;
    const setup = (this.#setup ??= readSetup(this.#context.storage));
    if (setup === undefined) return undefined;
    this.#instance = startInstance();
    let engine: RelayEngine;
    let outputs: RelayOutput[];
    try {
      engine = new RelayEngine({
        space: setup.space,
        region: setup.region,
        peers: setup.peers.map((peer) => ({ region: peer.region, url: addressOf(peer) })),
        token: peerToken(this.#env),
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
      const { link, expiresAt, state } = readAttachment(socket);
      this.#nextLink = Math.max(this.#nextLink, link + 1);
      this.#wakes.expires(expiresAt);
      if (state.length === 0) {
        closeSocket(socket, CLOSE_GOING_AWAY, "the relay was moved; connect again");
      } else {
        this.#links.add(link, socket);
        engine.resume(link, state);
      }
    }
    this.#run(engine, () => outputs);
    return this.#engine;
  }

  /**
   * Calls the engine and does what its outputs say. The engine's writes are made by then, and the platform holds back
   * outgoing messages until they are durable. `link` is the link that the call is about.
   */
  #run(engine: RelayEngine, call: () => RelayOutput[], link?: number): void {
    let outputs: RelayOutput[];
    try {
      const before = engine.counters();
      outputs = call();
      const after = engine.counters();
      counters.commitsIn += after.commitsIn - before.commitsIn;
      counters.commitsOut += after.commitsOut - before.commitsOut;
      counters.forks += after.forks - before.forks;
    } catch (error) {
      this.#fail(error);
      return;
    }
    const touched = new Set(link === undefined ? [] : [link]);
    for (const output of outputs) {
      if ("sign" in output) {
        this.#context.waitUntil(this.#sign(engine, output.number, output.sign));
        continue;
      }
      touched.add(output.link);
      if ("frame" in output) this.#links.send(output.link, output.frame);
      else if ("code" in output) this.#links.end(output.link, output.code, output.reason);
      else if ("dial" in output) this.#context.waitUntil(this.#dial(engine, output.link, output.dial));
      else this.#context.waitUntil(this.#authorize(engine, output.link, output.authorize));
    }
    for (const one of touched) this.#keep(engine, one);
    const regions = engine.regions();
    const owes = regions.some(({ behind }) => behind > 0);
    const isLinked = regions.some(({ isLinked }) => isLinked);
    this.#wakes.plan(engine.deadline(), { owes, isLinked, losesLinks: this.#links.losesSome });
  }

  async #dial(engine: RelayEngine, link: number, address: string): Promise<void> {
    this.#links.dialling(link);
    let socket: Socket;
    try {
      // An engine is made from a setup, so there is one.
      socket = await dial(address, this.#setup!, peerToken(this.#env), this.#env);
    } catch (error) {
      counters.regionLinksFailed += 1;
      console.warn(`eyot: there is no link to the relay at ${address}:`, String(error));
      if (this.#engine === engine && this.#links.dialled(link)) this.#run(engine, () => engine.closed(link));
      return;
    }
    const isWanted = this.#engine === engine && this.#links.dialled(link);
    const closed = (): void => {
      if (this.#engine === engine) this.#closed(engine, link, CLOSE_GONE);
    };
    socket.addEventListener("message", ({ data }) => {
      if (this.#engine === engine) this.#received(engine, link, data);
    });
    socket.addEventListener("close", closed);
    socket.addEventListener("error", closed);
    socket.accept();
    if (!isWanted) return closeSocket(socket, CLOSE_GOING_AWAY, "this link is not needed any more");
    counters.regionLinksOpened += 1;
    this.#links.add(link, socket);
    this.#run(engine, () => engine.opened(link));
  }

  /** Answers for the token in a link's greeting, or for a later one. */
  async #authorize(engine: RelayEngine, link: number, token: string | undefined): Promise<void> {
    const comer = this.#comers.get(link);
    this.#comers.delete(link);
    let claims: RelayClaims;
    let issuedAt: number | undefined;
    try {
      const isOfAnother = token !== undefined && comer?.token !== undefined && comer.token !== token;
      const known = isOfAnother ? undefined : comer;
      ({ claims, issuedAt } = known ?? (await askWorker(this.#context, this.#setup!.space, token ?? "")));
      if (this.#revoked.has(claims.subject, issuedAt)) throw new Refused(CLOSE_EXPIRED, REVOKED);
    } catch (error) {
      if (this.#engine !== engine || this.#links.get(link) === undefined) return;
      if (error instanceof Refused && error.code !== CLOSE_GOING_AWAY) {
        this.#run(engine, () => engine.refused(link, error.code === CLOSE_EXPIRED, error.message), link);
      } else {
        // The link goes on by the token that it has, until that expires.
        console.error("eyot: a fresh token can't be checked now:", String(error));
      }
      return;
    }
    const socket = this.#links.get(link);
    if (this.#engine !== engine || socket === undefined) return;
    const { expiresAt = Infinity } = claims;
    writeAttachment(socket, { ...readAttachment(socket), expiresAt, issuedAt });
    this.#wakes.expires(expiresAt);
    this.#run(engine, () => engine.authorized(link, claims), link);
  }

  /** Signs a ticket. Without a key there is none. */
  async #sign(engine: RelayEngine, number: number, bytes: Uint8Array): Promise<void> {
    let signature: Uint8Array | undefined;
    try {
      signature = await signTicket(this.#env, bytes);
    } catch (error) {
      console.error(`eyot: the secret ${TICKET_KEY} can't be used:`, String(error));
    }
    if (this.#engine === engine) this.#run(engine, () => engine.signed(number, signature));
  }

  /** Stores the core's part of a link's attachment. Links that were dialled end with the object's memory. */
  #keep(engine: RelayEngine, link: number): void {
    const socket = this.#links.get(link);
    if (socket === undefined || isDialled(link) || this.#engine !== engine) return;
    const state = engine.attachment(link);
    this.#links.keeps(link, state.length > 0);
    writeAttachment(socket, { ...readAttachment(socket), state });
  }

  /** Storage or the engine failed. The engine may have more in memory than is stored, so all of it is dropped. */
  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const isStorage = error instanceof Error && "code" in error;
    if (!isStorage) failInstance(this.#instance);
    this.#engine = undefined;
    const reason = `the relay has failed: ${message}`;
    this.#links.endAll(CLOSE_STORAGE, reason);
    for (const socket of this.#context.getWebSockets()) closeSocket(socket, CLOSE_STORAGE, reason);
    console.error("eyot: the relay has failed:", isStorage ? message : error);
  }
}
