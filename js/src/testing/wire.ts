/** Connections in one process: what is sent on one side comes in at the other, in order, later. */
import type { Clock } from "../base/clock.js";
import type { HostSocket } from "../host/relay.js";
import { turn } from "./turns.js";

/** Carries all messages of one network. */
export class Wire {
  /** How long each message takes. */
  delayMs = 0;
  readonly #clock: Clock;
  #queue: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether nothing is on its way that comes in without time passing. */
  get isQuiet(): boolean {
    return this.#queue.length === 0;
  }

  /** Does `arrive` once a message that leaves now has come, not before `soonest`. Returns when that is. */
  post(arrive: () => void, soonest = 0): number {
    const now = this.#clock.now();
    const at = Math.max(now + this.delayMs, soonest);
    if (at > now) this.#clock.setTimer(() => this.#later(arrive), at - now);
    else this.#later(arrive);
    return at;
  }

  #later(arrive: () => void): void {
    this.#queue.push(arrive);
    if (this.#queue.length === 1) turn(() => this.#deliver());
  }

  #deliver(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const arrive of queue) arrive();
  }
}

/** One end of a connection. */
class End implements HostSocket {
  onMessage: (message: Uint8Array | string) => void = () => undefined;
  onClose: () => void = () => undefined;
  readonly #connection: Connection;
  #other!: End;
  #soonest = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  join(other: End): void {
    this.#other = other;
    other.#other = this;
  }

  send(message: Uint8Array | string): void {
    if (this.#connection.isOver) return;
    this.#post(() => {
      if (!this.#connection.isOver) this.#other.onMessage(message);
    });
  }

  close(): void {
    this.onMessage = this.onClose = () => undefined;
    this.#post(() => this.#connection.cut());
  }

  #post(arrive: () => void): void {
    this.#soonest = this.#connection.wire.post(arrive, this.#soonest);
  }
}

/** A connection between two parties, each a region or a replica. */
export class Connection {
  readonly ends: readonly [HostSocket, HostSocket];
  isOver = false;

  constructor(
    readonly wire: Wire,
    readonly parties: readonly [string, string],
    readonly over: (connection: Connection) => void,
  ) {
    const [one, other] = [new End(this), new End(this)];
    one.join(other);
    this.ends = [one, other];
  }

  /** Ends it for both. What is on its way is lost. */
  cut(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.over(this);
    this.wire.post(() => this.ends.forEach((end) => end.onClose()));
  }
}
