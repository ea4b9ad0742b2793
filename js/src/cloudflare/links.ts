/** The links of a relay: their sockets, by the number that the core knows each link by. Counts them for the metrics. */

import { closeSocket } from "./close.js";
import { countClosed, counters } from "../host/metrics.js";
import type { Socket } from "./platform.js";

/** Links that the core dials have numbers from here on. All others are connections that this relay accepted. */
const DIALLED_MIN = 2 ** 32;

export class Links {
  readonly #sockets = new Map<number, Socket>();
  /** Links that the core wants and that are not open yet. */
  readonly #dialling = new Set<number>();
  /** Accepted links that a sleep would end: something is outstanding that their attachments cannot hold. */
  readonly #lost = new Set<number>();

  get losesSome(): boolean {
    return this.#lost.size > 0;
  }

  get(link: number): Socket | undefined {
    return this.#sockets.get(link);
  }

  add(link: number, socket: Socket): void {
    this.#sockets.set(link, socket);
  }

  /** Whether a link that was accepted can go on after a sleep. */
  keeps(link: number, isKept: boolean): void {
    if (isKept) this.#lost.delete(link);
    else this.#lost.add(link);
  }

  dialling(link: number): void {
    this.#dialling.add(link);
  }

  /** Ends the dialling of a link. False: the core does not want the link any more. */
  dialled(link: number): boolean {
    return this.#dialling.delete(link);
  }

  send(link: number, frame: Uint8Array): void {
    const socket = this.#sockets.get(link);
    if (socket === undefined) return;
    counters.framesOut += 1;
    counters.bytesOut += frame.byteLength;
    try {
      socket.send(frame);
    } catch {
      // The socket is closing. Its close event follows.
    }
  }

  /** Closes a link from this side. */
  end(link: number, code: number, reason: string): void {
    this.#dialling.delete(link);
    const socket = this.#sockets.get(link);
    if (socket !== undefined && this.ended(link, code)) closeSocket(socket, code, reason);
  }

  endAll(code: number, reason: string): void {
    this.#dialling.clear();
    for (const link of this.#sockets.keys()) this.end(link, code, reason);
  }

  /** A link has ended with this code. False: that was known already. */
  ended(link: number, code: number): boolean {
    if (!this.#sockets.delete(link)) return false;
    this.#lost.delete(link);
    if (isDialled(link)) counters.regionLinksClosed += 1;
    else countClosed(code);
    return true;
  }

  /** Forgets all links and closes none. */
  clear(): void {
    this.#sockets.clear();
    this.#dialling.clear();
    this.#lost.clear();
  }
}

export function isDialled(link: number): boolean {
  return link >= DIALLED_MIN;
}
