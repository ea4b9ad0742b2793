/** The relay of one space in one region, in a process that has the space's links and its store. */
import type { Comer } from "../access/admission.js";
import { bye, Refused } from "../access/refused.js";
import { clock } from "../base/clock.js";
import { CLOSE_EXPIRED, CLOSE_GOING_AWAY, CLOSE_MALFORMED, CLOSE_STORAGE } from "../base/close-codes.js";
import { messageOf } from "../base/error.js";
import {
  failInstance,
  type RelayClaims,
  RelayEngine,
  type RelayOutput,
  startInstance,
  type SyncStore,
} from "./instance.js";
import { counters } from "./metrics.js";

/** One end of a connection. Whoever has it sets what is called; nothing is called before that. */
export interface HostSocket {
  send(message: Uint8Array | string): void;
  close(code: number, reason: string): void;
  onMessage: (message: Uint8Array | string) => void;
  /** The connection is over. Not called after `close`. */
  onClose: () => void;
}

export type RelaySettings = Omit<ConstructorParameters<typeof RelayEngine>[0], "store"> & { store: SyncStore };

/** What a relay asks of the process that it is in. */
export interface RelayHost {
  readonly module: WebAssembly.Module;
  /** Calls this once all that was written until now is durable. */
  afterWrites(then: () => void): void;
  /** What the bearer of this token may do in a space. Rejects with `Refused`. */
  admit(token: string | undefined, space: string): Promise<RelayClaims>;
  /** Opens a connection to the relay of another region, at its address. */
  dial(url: string, space: string): Promise<HostSocket>;
  /** Signs a ticket by which replicas link to each other. Without a key there is none. */
  sign(bytes: Uint8Array): Promise<Uint8Array | undefined>;
  /** The relay has failed and is gone. What is stored is there for the next one. */
  failed(relay: HostedRelay, message: string): void;
}

/** `setTimeout` counts in a signed 32-bit number. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class HostedRelay {
  readonly space: string;
  readonly #host: RelayHost;
  readonly #instance: number;
  readonly #links = new Map<number, HostSocket>();
  /** Who has come and need show no token, until the core asks. */
  readonly #comers = new Map<number, Comer>();
  /** Links that were let in. */
  readonly #admitted = new Set<number>();
  /** Links that the core wants and that are not open yet. */
  readonly #dialling = new Set<number>();
  #engine: RelayEngine | undefined;
  #next = 1;
  #timer: unknown;
  #timerAt: number | undefined;

  /** Throws where the store cannot be read. */
  constructor(settings: RelaySettings, host: RelayHost) {
    this.space = settings.space;
    this.#host = host;
    this.#instance = startInstance(host.module);
    const engine = (this.#engine = new RelayEngine(settings));
    this.#run(() => engine.start());
  }

  /** Whether nobody would miss it: it has no links, and no other region lacks what it has. */
  get isIdle(): boolean {
    if (this.#links.size > 0 || this.#dialling.size > 0) return false;
    return this.#engine?.regions().every(({ behind }) => behind === 0) ?? true;
  }

  /** Takes up a connection. `comer`: who it is, where that is known without a token. */
  accept(socket: HostSocket, comer?: Comer): void {
    const engine = this.#engine;
    if (engine === undefined) return farewell(socket, CLOSE_GOING_AWAY, "the relay has failed; connect again");
    const link = this.#next++;
    if (comer !== undefined) this.#comers.set(link, comer);
    this.#add(link, socket);
    this.#run(() => engine.opened(link));
  }

  /** Ends all links and whatever is in memory. */
  end(code: number, reason: string): void {
    const engine = this.#engine;
    this.#engine = undefined;
    clock.clearTimer(this.#timer);
    for (const socket of this.#links.values()) farewell(socket, code, reason);
    this.#links.clear();
    this.#dialling.clear();
    this.#comers.clear();
    this.#admitted.clear();
    engine?.free();
  }

  #add(link: number, socket: HostSocket): void {
    this.#links.set(link, socket);
    socket.onMessage = (message) => this.#received(link, socket, message);
    socket.onClose = () => this.#closed(link);
  }

  #received(link: number, socket: HostSocket, message: Uint8Array | string): void {
    const engine = this.#engine;
    if (engine === undefined || !this.#links.has(link)) return;
    if (typeof message !== "string") {
      counters.framesIn += 1;
      counters.bytesIn += message.length;
      this.#run(() => engine.received(link, message, clock.now()));
    } else if (message === "ping") {
      socket.send("pong");
    } else {
      farewell(socket, CLOSE_MALFORMED, "text is not spoken here, only binary frames");
      this.#closed(link);
    }
  }

  #closed(link: number): void {
    const engine = this.#engine;
    this.#forget(link);
    if (this.#links.delete(link) && engine !== undefined) this.#run(() => engine.closed(link));
  }

  /** Calls the engine, and does what it wants done once what it has written is durable. */
  #run(call: () => RelayOutput[]): void {
    const engine = this.#engine;
    let outputs: RelayOutput[];
    let deadline: number | undefined;
    try {
      const before = engine?.counters();
      outputs = call();
      const after = engine?.counters();
      counters.commitsIn += (after?.commitsIn ?? 0) - (before?.commitsIn ?? 0);
      counters.commitsOut += (after?.commitsOut ?? 0) - (before?.commitsOut ?? 0);
      counters.forks += (after?.forks ?? 0) - (before?.forks ?? 0);
      deadline = engine?.deadline();
    } catch (error) {
      return this.#fail(error);
    }
    this.#wait(deadline);
    if (outputs.length === 0) return;
    this.#host.afterWrites(() => {
      for (const output of outputs) if (this.#engine === engine) this.#do(output);
    });
  }

  #do(output: RelayOutput): void {
    if ("frame" in output) {
      counters.framesOut += 1;
      counters.bytesOut += output.frame.length;
      this.#links.get(output.link)?.send(output.frame);
    } else if ("code" in output) {
      this.#forget(output.link);
      const socket = this.#links.get(output.link);
      this.#links.delete(output.link);
      socket?.close(output.code, output.reason);
    } else if ("dial" in output) {
      void this.#dial(output.link, output.dial);
    } else if ("sign" in output) {
      void this.#sign(output.number, output.sign);
    } else {
      void this.#authorize(output.link, output.authorize);
    }
  }

  #forget(link: number): void {
    this.#comers.delete(link);
    this.#admitted.delete(link);
    this.#dialling.delete(link);
  }

  async #dial(link: number, url: string): Promise<void> {
    const engine = this.#engine!;
    this.#dialling.add(link);
    const socket = await this.#host.dial(url, this.space).catch(() => undefined);
    const isWanted = this.#engine === engine && this.#dialling.delete(link);
    if (!isWanted) return socket?.close(CLOSE_GOING_AWAY, "this link is not needed any more");
    if (socket === undefined) return this.#run(() => engine.closed(link));
    this.#add(link, socket);
    this.#run(() => engine.opened(link));
  }

  /** Answers for the token in a link's greeting, or for a later one. */
  async #authorize(link: number, token: string | undefined): Promise<void> {
    const engine = this.#engine!;
    const comer = this.#comers.get(link);
    this.#comers.delete(link);
    let claims: RelayClaims;
    try {
      claims = comer?.claims ?? (await this.#host.admit(token, this.space));
    } catch (error) {
      if (this.#engine !== engine || !this.#links.has(link)) return;
      const { code, message } = error instanceof Refused ? error : new Refused(CLOSE_GOING_AWAY, messageOf(error));
      if (code !== CLOSE_GOING_AWAY) return this.#run(() => engine.refused(link, code === CLOSE_EXPIRED, message));
      // A link that is up goes on by the token that it has, until that expires.
      if (this.#admitted.has(link)) return;
      farewell(this.#links.get(link)!, code, message);
      return this.#closed(link);
    }
    if (this.#engine !== engine || !this.#links.has(link)) return;
    this.#admitted.add(link);
    this.#run(() => engine.authorized(link, claims));
  }

  async #sign(number: number, bytes: Uint8Array): Promise<void> {
    const engine = this.#engine!;
    const signature = await this.#host.sign(bytes).catch(() => undefined);
    if (this.#engine === engine) this.#run(() => engine.signed(number, signature));
  }

  #wait(deadline: number | undefined): void {
    if (deadline === this.#timerAt) return;
    clock.clearTimer(this.#timer);
    this.#timerAt = deadline;
    if (deadline === undefined) return;
    const ms = Math.min(Math.max(0, deadline - clock.now()), TIMER_MS_MAX);
    this.#timer = clock.setTimer(() => {
      const engine = this.#engine;
      this.#timerAt = undefined;
      if (engine !== undefined) this.#run(() => engine.timer());
    }, ms);
  }

  /** Storage or the engine failed. The engine may have more in memory than is stored, so all of it is dropped. */
  #fail(error: unknown): void {
    const isStorage = error instanceof Error && "code" in error;
    if (!isStorage) failInstance(this.#instance);
    const message = messageOf(error);
    this.#engine = undefined;
    this.end(CLOSE_STORAGE, `the relay has failed: ${message}`);
    this.#host.failed(this, message);
  }
}

/** Closes a link for a reason of the host's, and says it as the core does: in a frame, too. */
function farewell(socket: HostSocket, code: number, reason: string): void {
  socket.send(bye(code, reason));
  socket.close(code, reason);
}
