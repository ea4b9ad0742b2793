/** A `MessagePort` as a channel: between a page and its worker, between two pages, between two tests. */
import { kindOf } from "../base/check.js";
import { invalid } from "../base/error.js";
import type { Channel, ChannelListener } from "./channel.js";
import { FRAME_BYTES_MAX } from "./messages.js";

/** Ports that are in use, or were. */
const taken = new WeakSet<MessagePort>();

/** Refuses what is no port, and a port that is in use. The port belongs to whoever calls this from then on. */
export function takePort(port: unknown): MessagePort {
  // Not by its class: Node has two of them, and a port may come from another realm.
  const { postMessage, addEventListener, start, close } = (port ?? {}) as Partial<MessagePort>;
  if (![postMessage, addEventListener, start, close].every((method) => typeof method === "function")) {
    throw invalid(`connect() takes a MessagePort, not ${kindOf(port)}`);
  }
  if (taken.has(port as MessagePort)) throw invalid("connect() was called with this port before");
  taken.add(port as MessagePort);
  return port as MessagePort;
}

/**
 * A port has no measure of what waits in it. What the engine sends is bounded all the same: it waits where the other
 * side has not read 4 MiB, and asks for that itself.
 */
export class PortChannel implements Channel {
  readonly via = "port";
  readonly messageBytesMax = 1 + FRAME_BYTES_MAX;
  readonly #port: MessagePort;
  #listener: ChannelListener | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.addEventListener("message", this.#came);
    // Not every browser tells that the other side is gone. The engine notices that it is silent.
    port.addEventListener("close", this.#closed);
  }

  listen(listener: ChannelListener): void {
    this.#listener = listener;
    // Until then the port keeps what comes.
    this.#port.start();
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    this.#port.postMessage(message.buffer, [message.buffer]);
  }

  close(): void {
    this.#port.removeEventListener("message", this.#came);
    this.#port.removeEventListener("close", this.#closed);
    this.#port.close();
  }

  readonly #came = ({ data }: MessageEvent<unknown>): void => {
    // Anything else is not of this package. The buffer may be of another realm.
    if (Object.prototype.toString.call(data) !== "[object ArrayBuffer]") return;
    this.#listener?.message(new Uint8Array(data as ArrayBuffer));
  };

  readonly #closed = (): void => this.#listener?.closed();
}
