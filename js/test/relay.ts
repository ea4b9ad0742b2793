/** The relay of one space in one region, in this process: the real one, in memory, behind a real socket. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { readFile } from "node:fs/promises";
import { WebSocketServer, type WebSocket } from "ws";
import { Identity } from "../src/peers/identity.js";
import init, { RelayEngine, type RelayClaims, type RelayOutput, type SyncStore } from "../wasm/eyot_web_relay.js";

const WASM = new URL("../wasm/eyot_web_relay_bg.wasm", import.meta.url);

export type Verdict = RelayClaims | { expired: boolean; reason: string };

export class TestRelay {
  /** Whom it lets in. */
  verify: (token: string | undefined) => Verdict = () => OPEN;
  /** Texts that links have sent, in order. */
  readonly texts: string[] = [];
  /** With which key it signs: the one that it publishes, unless a test says otherwise. */
  signer: Identity;
  /** How many receipts and tickets it has signed. */
  signed = 0;
  readonly address: string;
  readonly #server: Server;
  readonly #engine: RelayEngine;
  readonly #links = new Map<number, WebSocket>();
  readonly #connections = new Set<Socket>();
  #next = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(server: Server, region: string, key: Identity) {
    this.#server = server;
    this.signer = key;
    this.address = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const seed = crypto.getRandomValues(new Uint8Array(32));
    this.#engine = new RelayEngine({ space: "test", region, peers: [], seed, store: inMemory() });
    this.#do(this.#engine.start());
    const keys = [{ kty: "OKP", crv: "Ed25519", x: Buffer.from(key.key).toString("base64url") }];
    server.on("request", ({ url }, response) => response.end(JSON.stringify(url === "/v1/keys" ? { keys } : {})));
    server.on("connection", (socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
    });
    new WebSocketServer({ server }).on("connection", (socket) => this.#accept(socket));
  }

  static async start(region: string): Promise<TestRelay> {
    await init({ module_or_path: readFile(WASM) });
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TestRelay(server, region, await Identity.make());
  }

  /** Ends all links, which may come back at once. */
  cut(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    clearTimeout(this.#timer);
    this.#links.clear();
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
    await once(this.#server, "close");
  }

  #accept(socket: WebSocket): void {
    const link = this.#next++;
    this.#links.set(link, socket);
    this.#do(this.#engine.opened(link));
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) return this.#do(this.#engine.received(link, data, Date.now()));
      this.texts.push(data.toString());
      socket.send("pong");
    });
    socket.on("close", () => this.#links.delete(link) && this.#do(this.#engine.closed(link)));
  }

  #do(outputs: RelayOutput[]): void {
    for (const output of outputs) {
      if ("sign" in output) {
        void this.#sign(output.number, output.sign);
        continue;
      }
      const socket = this.#links.get(output.link);
      if ("frame" in output) socket?.send(output.frame);
      else if ("code" in output) socket?.close(output.code, output.reason);
      else if ("authorize" in output) this.#authorize(output.link, output.authorize);
    }
    clearTimeout(this.#timer);
    const deadline = this.#engine.deadline();
    if (deadline === undefined) return;
    const wait = Math.min(Math.max(0, deadline - Date.now()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => this.#do(this.#engine.timer()), wait);
  }

  async #sign(number: number, bytes: Uint8Array): Promise<void> {
    const signature = await this.signer.sign(new Uint8Array(bytes));
    if (!this.#server.listening) return;
    this.#do(this.#engine.signed(number, signature));
    this.signed += 1;
  }

  #authorize(link: number, token: string | undefined): void {
    const verdict = this.verify(token);
    if ("reason" in verdict) this.#do(this.#engine.refused(link, verdict.expired, verdict.reason));
    else this.#do(this.#engine.authorized(link, verdict));
  }
}

export const OPEN: RelayClaims = { subject: "", spaces: [["*", "write"]], isRelay: false };

/** Keys in hexadecimal have the order of their bytes. */
function inMemory(): SyncStore {
  const values = new Map<string, Uint8Array>();
  const name = (key: Uint8Array): string => Buffer.from(key).toString("hex");
  const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
    a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
  return {
    get: (keys) => keys.map((key) => values.get(name(key))),
    scan(from, to, bytesMax) {
      const keys = [...values.keys()].filter((key) => key >= name(from) && key < name(to)).sort();
      let bytes = 0;
      const end = keys.findIndex((key) => (bytes += values.get(key)!.length) > bytesMax) + 1 || keys.length;
      return {
        keys: keys.slice(0, end).map((key) => Uint8Array.from(Buffer.from(key, "hex"))),
        values: keys.slice(0, end).map((key) => values.get(key)!),
        more: end < keys.length,
      };
    },
    write({ guardKey, guardValue, puts, deletes }) {
      if (guardKey !== undefined && !same(values.get(name(guardKey)), guardValue)) return false;
      for (const key of deletes) values.delete(name(key));
      for (const [key, value] of puts) values.set(name(key), value);
      return true;
    },
  };
}
