/** A host at an address of its own: it says how it is, and notes who dials it and what they say. No relay. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

export interface Dial {
  /** The path that was asked for. */
  path: string;
  /** The subprotocols that were offered. */
  protocols: string | undefined;
  socket: WebSocket;
  /** Resolves with the first frame. */
  hello: Promise<Buffer>;
}

export class Listener {
  /** What it answers to requests. */
  health: RequestListener = (_, response) => void response.end("{}");
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #dials: Dial[] = [];
  readonly #waiting: ((dial: Dial) => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
    });
    server.on("request", (request, response) => this.health(request, response));
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket, request) => this.#dialled(socket, request));
  }

  static async start(): Promise<Listener> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Listener(server);
  }

  get address(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves with each in turn. */
  dial(): Promise<Dial> {
    const dial = this.#dials.shift();
    return dial === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(dial);
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
    await once(this.#server, "close");
  }

  #dialled(socket: WebSocket, { url = "", headers }: IncomingMessage): void {
    const hello = new Promise<Buffer>((resolve) => socket.once("message", (frame) => resolve(frame as Buffer)));
    const dial = { path: url, protocols: headers["sec-websocket-protocol"], socket, hello };
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#dials.push(dial);
    else waiting(dial);
  }
}
