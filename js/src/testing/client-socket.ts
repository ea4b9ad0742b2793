/** The end of a connection that a replica has: what the engine uses of the class `WebSocket`. */
import type { HostSocket } from "../host/relay.js";

type Kind = "open" | "message" | "error" | "close";
type Listener = (event: { readonly type: Kind; readonly data?: unknown }) => void;

export class ClientSocket {
  binaryType = "arraybuffer";
  readonly #listeners = new Map<string, Set<Listener>>();
  #socket: HostSocket | undefined;
  #isOver = false;

  addEventListener(kind: Kind, listener: Listener): void {
    const listeners = this.#listeners.get(kind) ?? new Set();
    this.#listeners.set(kind, listeners.add(listener));
  }

  removeEventListener(kind: Kind, listener: Listener): void {
    this.#listeners.get(kind)?.delete(listener);
  }

  send(message: ArrayBuffer | string): void {
    if (this.#isOver) return;
    this.#socket?.send(typeof message === "string" ? message : new Uint8Array(message));
  }

  close(code = 1000, reason = ""): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.close(code, reason);
    this.#tell("close");
  }

  /** It is connected. */
  opened(socket: HostSocket): void {
    if (this.#isOver) return socket.close(1000, "");
    this.#socket = socket;
    socket.onMessage = (data) => this.#tell("message", data);
    socket.onClose = () => this.lost();
    this.#tell("open");
  }

  /** It could not be connected, or the connection is gone. */
  lost(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#tell("error");
    this.#tell("close");
  }

  #tell(type: Kind, data?: unknown): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener({ type, data });
  }
}
