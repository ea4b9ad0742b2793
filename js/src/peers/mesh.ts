/**
 * The links that replicas make by themselves: to some of those that relays tell of, chosen at random. A link that ends is
 * made up for by one to another. Relays pass on what two replicas say until they are connected; where there is none, replicas
 * that are linked to both do (`passer.ts`), so that what was torn grows together again, and no mesh wears out.
 *
 * Each replica looks for `maxPeers` / 2 links, but for three, and lets others come until it has `maxPeers`. So there is room for who is
 * new, and who has almost no links is let in by all: somebody else has to go for it, who has enough.
 */
import type { EyotError } from "../base/error.js";
import { coded } from "../base/error.js";
import { hex } from "../base/id.js";
import { Limit } from "../base/wait.js";
import type { Engine } from "../engine/instance.js";
import type { Bytes } from "./bytes.js";
import { Identity } from "./identity.js";
import { introduce } from "./introduction.js";
import { compare, passedOn, passOn } from "./messages.js";
import { Passer } from "./passer.js";
import type { Passing } from "./peer-link.js";
import type { RtcChannel } from "./rtc.js";
import { RtcConnection, type Rtc } from "./rtc.js";
import { freshId, read, write, type PeerSignal } from "./signals.js";
import { readTicket, rightOf, type Ticket } from "./ticket.js";
import type { IceServer } from "./types.js";

/** What this file needs of the links of a space. */
export interface MeshContext {
  readonly space: string;
  readonly iceServers: readonly IceServer[];
  readonly maxPeers: number;
  /** How long a link outlives its ticket, and how long a ticket is good for links where no relay gives a fresh one. */
  readonly graceMs: number;
  readonly isUsable: boolean;
  run<R>(fn: (engine: Engine) => R): R;
  /** What the status says about links may have changed. */
  changed(): void;
  /** The WebRTC of this platform. Rejects with `unavailable` where there is none. */
  rtc(): Promise<Rtc>;
  /** Whether a relay of the space has signed these bytes. */
  isRelays(bytes: Bytes, signature: Bytes): Promise<boolean>;
  /** Whether a relay is linked. */
  hasRelay(): boolean;
  /** Begins a link. `over` is called once it has ended: for good where it was refused. */
  link(
    channel: RtcChannel,
    isReader: boolean,
    over: (isForGood: boolean) => void,
    passing: (message: Passing) => void,
  ): LinkHandle;
}

export interface LinkHandle {
  end(): void;
  /** Sends a message beside those of the link. False: it can't be sent. */
  pass(message: Uint8Array<ArrayBuffer>): boolean;
}

/** Another replica that relays tell of. */
interface Other {
  readonly name: string;
  readonly key: Bytes;
  region: string;
  ticket: Ticket;
  /** The replica by whose way it was heard last; undefined: by way of relays. */
  via: string | undefined;
  /** When it may be tried again. */
  tryAt: number;
  /** How long it is left alone where it can't be linked. */
  restMs: number;
}

/** A connection that is being made. */
interface Attempt {
  readonly other: Other;
  readonly id: Bytes;
  readonly isOwn: boolean;
  readonly limit: Limit;
  readonly end: AbortController;
  connection: RtcConnection | undefined;
  answered(answer: PeerSignal & { kind: "answer" }): void;
  /** By whose way the offer was made; they may say that the other one is not linked there. */
  readonly asked: Set<string>;
}

interface Link {
  readonly other: Other;
  readonly connection: RtcConnection;
  /** Of the other side's certificate. */
  readonly fingerprint: Uint8Array;
  readonly link: LinkHandle;
  readonly passer: Passer;
  /** This side looks for another way to the other one. */
  restart: { readonly id: Bytes; timer: ReturnType<typeof setTimeout> | undefined } | undefined;
  endsAt: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A mesh in which each has so many links to others at random hangs together. */
const LINKS_MIN = 3;
/** How long two may take until they are linked. */
const ATTEMPT_MS = 45_000;
/** How long it may take until the other one answers. */
const ANSWER_MS = 10_000;
const ATTEMPTS_MAX = 3;
/** So many offers that came by way of one replica are looked at at once. */
const OF_ONE_MAX = 2;
/** Who could not be linked is left alone for so long, and for twice as long each time. Who has enough links, for the longest. */
const REST_MS_MIN = 2_000;
const REST_MS_MAX = 30_000;
/** So many others are remembered, and so much of what relays say waits to be looked at. */
const OTHERS_MAX = 64;
const WAITING_MAX = 128;
/** With too few links it is announced again that this one is there: after so long, and after twice as long each time. */
const LOOK_MS_MIN = 2_000;
const LOOK_MS_MAX = 10 * 60_000;
/** How often the other side is told of another way, and how long after it could not be: the relay may be lost, too. */
const RESTART_TRIES = 10;
const RESTART_AGAIN_MS = 1_000;
/** Of two sides that lose each other one begins, and the other one so much later where that has not helped. */
const RESTART_LATER_MS = 3_000;
/** Who has no more links than this is let in by who has enough. */
const LONELY_LINKS = 1;
/** The longest that a timer of the platform can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Mesh {
  /** Why there are no such links; undefined otherwise. */
  error: EyotError | undefined;
  readonly #context: MeshContext;
  readonly #wanted: number;
  #identity: Identity | undefined;
  readonly #others = new Map<string, Other>();
  readonly #attempts = new Map<string, Attempt>();
  readonly #links = new Map<string, Link>();
  /** What relays say is looked at one after the other. */
  #heard: Promise<void> = Promise.resolve();
  #waiting = 0;
  #lookMs = LOOK_MS_MIN;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** For who is left alone. */
  #again: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(context: MeshContext) {
    this.#context = context;
    this.#wanted = Math.max(Math.ceil(context.maxPeers / 2), Math.min(context.maxPeers, LINKS_MIN));
  }

  async start(): Promise<void> {
    try {
      await this.#context.rtc();
      this.#identity = await Identity.make();
    } catch (error) {
      this.error = coded(error) as EyotError;
      this.#context.changed();
      return;
    }
    this.#announce();
    this.#look();
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    for (const attempt of [...this.#attempts.values()]) this.#give(attempt);
    // The links themselves are ended by who has them all.
    for (const link of this.#links.values()) this.#forget(link);
  }

  /** This device may be in another network: links look for another way, by way of relays. */
  networkChanged(): void {
    for (const link of this.#links.values()) void this.#restart(link);
  }

  /** A relay tells of another replica. */
  introduced(key: Uint8Array, region: string, ticket: Uint8Array): void {
    this.#hear(async () => {
      const identity = this.#identity;
      const read = readTicket(ticket);
      if (identity === undefined || read === undefined) return;
      const { space, isRelays } = this.#context;
      const theirs = new Uint8Array(key);
      // What can't be checked is no ticket; the other one would see that, too.
      await rightOf(read, {
        space,
        own: identity.key,
        theirs,
        now: Date.now(),
        isRelays: isRelays.bind(this.#context),
      });
      this.#learn(theirs, region, read);
    });
  }

  /** Another replica says something by way of relays; or a relay that it is not there any more. */
  signalled(key: Uint8Array, region: string, bytes: Uint8Array): void {
    this.#hear(() => this.#said(hex(key), region, bytes, undefined));
  }

  /** `via` is undefined where relays have passed it on. */
  #said(name: string, region: string | undefined, bytes: Uint8Array, via: string | undefined): void {
    const other = this.#others.get(name);
    if (other === undefined) return;
    const attempt = this.#attempts.get(other.name);
    if (bytes.length === 0) {
      this.#isNotThere(other, attempt, via);
      return;
    }
    const signal = read(bytes);
    if (signal === undefined) return;
    other.region = region ?? other.region;
    other.via = via;
    const isOfAttempt = attempt?.isOwn === true && compare(attempt.id, signal.id) === 0;
    if (signal.kind === "offer") this.#offered(other, signal);
    else if (signal.kind === "answer" && isOfAttempt) attempt.answered(signal);
    else if (signal.kind === "full" && isOfAttempt) this.#failed(attempt, REST_MS_MAX);
    else if (signal.kind === "restart") void this.#restartCame(other, signal);
    else if (signal.kind === "restarted") void this.#restarted(other, signal);
  }

  /** A relay says so, or one of those who were asked to pass something on. */
  #isNotThere(other: Other, attempt: Attempt | undefined, via: string | undefined): void {
    if (via === undefined) {
      this.#others.delete(other.name);
      if (attempt !== undefined) this.#failed(attempt);
    } else if (attempt?.asked.delete(via) === true && attempt.asked.size === 0) {
      this.#failed(attempt, other.restMs, LOOK_MS_MAX);
    }
  }

  #hear(look: () => void | Promise<void>): void {
    if (this.#waiting >= WAITING_MAX) return;
    this.#waiting += 1;
    this.#heard = this.#heard
      .then(() => (this.#isLive ? look() : undefined))
      .catch(() => undefined)
      .finally(() => (this.#waiting -= 1));
  }

  get #isLive(): boolean {
    return !this.#isOver && this.#context.isUsable;
  }

  // Who is there.

  #announce(): void {
    const { key } = this.#identity!;
    this.#context.run((engine) => engine.announce(key));
  }

  #learn(key: Bytes, region: string, ticket: Ticket): void {
    const name = hex(key);
    const known = this.#others.get(name);
    if (known !== undefined) {
      Object.assign(known, { region, ticket });
    } else {
      if (this.#others.size >= OTHERS_MAX) this.#forgetOne();
      this.#others.set(name, { name, key, region, ticket, via: undefined, tryAt: 0, restMs: REST_MS_MIN });
    }
    const link = this.#links.get(name);
    if (link !== undefined) this.#limit(link, ticket);
    this.#fill();
  }

  /** Makes room for one: the oldest of those that nothing is going on with. */
  #forgetOne(): void {
    const name = [...this.#others.keys()].find((name) => !this.#attempts.has(name) && !this.#links.has(name));
    this.#others.delete(name ?? "");
  }

  // The shape of the mesh.

  /** Links where there are too few, and goes on looking for others. */
  #look(): void {
    clearTimeout(this.#timer);
    if (!this.#isLive) return;
    this.#fill();
    const isEnough = this.#links.size >= this.#wanted;
    // Tickets are renewed when half of the grace is over.
    const ends = [...this.#links.values()].map(({ endsAt }) => endsAt - this.#context.graceMs / 2 - Date.now());
    const wait = isEnough ? Math.max(LOOK_MS_MIN, Math.min(...ends)) : this.#lookMs * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(
      () => {
        if (!this.#isLive) return;
        this.#lookMs = Math.min(2 * this.#lookMs, LOOK_MS_MAX);
        this.#announce();
        this.#look();
      },
      Math.min(wait, TIMER_MS_MAX),
    );
  }

  #fill(): void {
    const now = Date.now();
    const graceMs = this.#graceMs;
    const others = [...this.#others.values()].filter(
      ({ name, tryAt, ticket }) =>
        tryAt <= now && ticket.expiresAt + graceMs > now && !this.#links.has(name) && !this.#attempts.has(name),
    );
    const missing = this.#wanted - this.#links.size - this.#attempts.size;
    const most = Math.min(missing, ATTEMPTS_MAX - this.#attempts.size);
    for (let left = most; left > 0 && others.length > 0; left--) {
      const [other] = others.splice(Math.floor(Math.random() * others.length), 1);
      void this.#offer(other!);
    }
    this.#fillLater(now);
  }

  /** Whoever is left alone is tried again, as long as links are missing. */
  #fillLater(now: number): void {
    clearTimeout(this.#again);
    if (this.#links.size >= this.#wanted) return;
    const ats = [...this.#others.values()].filter(({ name }) => !this.#links.has(name)).map(({ tryAt }) => tryAt);
    const at = Math.min(...ats.filter((at) => at > now));
    if (!Number.isFinite(at)) return;
    this.#again = setTimeout(() => this.#isLive && this.#fill(), Math.min(at - now, TIMER_MS_MAX));
  }

  // Two become linked.

  async #offer(other: Other): Promise<void> {
    const attempt = this.#attempt(other, freshId(), true);
    try {
      const answer = new Promise<PeerSignal & { kind: "answer" }>((resolve) => (attempt.answered = resolve));
      const connection = await this.#connection(attempt);
      const description = await attempt.limit.race(connection.offer());
      const links = this.#links.size;
      attempt.other.via = undefined;
      this.#say(other, { kind: "offer", id: attempt.id, links, description }, attempt.asked);
      const wait = new Limit({ timeout: ANSWER_MS });
      const { setup, description: theirs } = await attempt.limit.race(wait.race(answer)).finally(() => wait.end());
      await attempt.limit.race(connection.accept(theirs, setup));
      await this.#meet(attempt, description.fingerprint, theirs.fingerprint);
    } catch {
      this.#failed(attempt);
    }
  }

  #offered(other: Other, offer: PeerSignal & { kind: "offer" }): void {
    const attempt = this.#attempts.get(other.name);
    // Both have made an offer: that of the lower key counts.
    if (attempt?.isOwn === true && compare(this.#identity!.key, other.key) < 0) return;
    // It has come by way of two others, and is being answered: another answer would be for a connection of its own.
    if (attempt?.isOwn === false && compare(attempt.id, offer.id) === 0) return;
    // Whoever passes something on could make it up.
    const ofVia = [...this.#attempts.values()].filter(({ other: { via } }) => via !== undefined && via === other.via);
    if (ofVia.length >= OF_ONE_MAX) return;
    const isFull = this.#links.size + this.#attempts.size >= this.#context.maxPeers;
    const mayCome = !isFull || this.#links.has(other.name) || attempt !== undefined || offer.links <= LONELY_LINKS;
    if (!mayCome || this.#attempts.size >= 2 * this.#context.maxPeers) {
      this.#say(other, { kind: "full", id: offer.id });
      return;
    }
    if (attempt !== undefined) this.#give(attempt);
    void this.#answer(other, offer);
  }

  async #answer(other: Other, offer: PeerSignal & { kind: "offer" }): Promise<void> {
    const attempt = this.#attempt(other, offer.id, false);
    try {
      const connection = await this.#connection(attempt);
      const { description, setup } = await attempt.limit.race(connection.answer(offer.description));
      this.#say(other, { kind: "answer", id: attempt.id, setup, description });
      await this.#meet(attempt, description.fingerprint, offer.description.fingerprint);
    } catch {
      this.#failed(attempt);
    }
  }

  #attempt(other: Other, id: Bytes, isOwn: boolean): Attempt {
    const end = new AbortController();
    const limit = new Limit({ timeout: ATTEMPT_MS, signal: end.signal });
    const attempt: Attempt = {
      other,
      id,
      isOwn,
      limit,
      end,
      connection: undefined,
      answered: () => undefined,
      asked: new Set(),
    };
    this.#attempts.set(other.name, attempt);
    return attempt;
  }

  async #connection(attempt: Attempt): Promise<RtcConnection> {
    const rtc = await attempt.limit.race(this.#context.rtc());
    attempt.connection = new RtcConnection(rtc, this.#context.iceServers);
    return attempt.connection;
  }

  async #meet(attempt: Attempt, own: Uint8Array, theirs: Uint8Array): Promise<void> {
    const { other, limit, connection } = attempt;
    const channel = await limit.race(connection!.opened);
    const { space, isRelays } = this.#context;
    const meeting = {
      space,
      isRelays: isRelays.bind(this.#context),
      theirs: other.key,
      identity: this.#identity!,
      ticket: other.ticket.bytes,
      fingerprints: { own, theirs },
      graceMs: this.#graceMs,
    };
    const right = await limit.race(introduce(channel, meeting));
    limit.end();
    if (!this.#isLive || this.#attempts.get(other.name) !== attempt) return connection!.close();
    this.#attempts.delete(other.name);
    this.#linked(attempt, channel, theirs, right === "read");
  }

  #linked({ other, connection }: Attempt, channel: RtcChannel, fingerprint: Uint8Array, isReader: boolean): void {
    const { name } = other;
    // The one before is half dead: the other side would not have come again.
    const before = this.#links.get(name);
    this.#links.delete(name);
    before?.link.end();
    const link: Link = {
      other,
      connection: connection!,
      fingerprint,
      restart: undefined,
      passer: new Passer(),
      link: this.#context.link(
        channel,
        isReader,
        (isForGood) => {
          this.#forget(link);
          other.tryAt = isForGood ? Infinity : Date.now() + LOOK_MS_MIN;
          if (this.#links.get(name) !== link) return;
          this.#links.delete(name);
          this.#lookMs = LOOK_MS_MIN;
          if (this.#isLive) this.#look();
        },
        (message) => this.#passing(link, message),
      ),
      endsAt: 0,
      timer: undefined,
    };
    this.#links.set(name, link);
    other.restMs = REST_MS_MIN;
    connection!.disconnected = () => {
      const isFirst = compare(this.#identity!.key, other.key) < 0;
      setTimeout(() => this.#isLost(link) && void this.#restart(link), isFirst ? 0 : RESTART_LATER_MS);
    };
    this.#limit(link, other.ticket);
    this.#makeRoom(name);
    this.#look();
  }

  // Another way for a link that is there.

  #isLost(link: Link): boolean {
    return this.#isLive && this.#links.get(link.other.name) === link && link.connection.isDisconnected;
  }

  async #restart(link: Link): Promise<void> {
    if (!this.#isLive || link.restart !== undefined) return;
    const restart: Link["restart"] = { id: freshId(), timer: undefined };
    link.restart = restart;
    const description = await link.connection.restart().catch(() => undefined);
    if (link.restart !== restart) return;
    if (description === undefined) link.restart = undefined;
    else this.#sayRestart(link, { kind: "restart", id: restart.id, description }, RESTART_TRIES);
  }

  /** Until the other side has answered. What it does not hear of in time ends with the link, and another one is made. */
  #sayRestart(link: Link, signal: PeerSignal, left: number): void {
    const { restart, other } = link;
    if (!this.#isLive || restart === undefined) return;
    if (left === 0) {
      link.restart = undefined;
      void link.connection.forgetRestart().catch(() => undefined);
      return;
    }
    const isSaid = this.#isSaid(other, signal);
    const wait = isSaid ? ANSWER_MS : RESTART_AGAIN_MS;
    restart.timer = setTimeout(() => this.#sayRestart(link, signal, left - 1), wait);
  }

  /** A relay could have said this: only a way to the same certificate counts. */
  async #restartCame(other: Other, { id, description }: PeerSignal & { kind: "restart" }): Promise<void> {
    const link = this.#links.get(other.name);
    if (link === undefined || compare(link.fingerprint, description.fingerprint) !== 0) return;
    // Both have begun: that of the lower key counts.
    if (link.restart !== undefined && compare(this.#identity!.key, other.key) < 0) return;
    this.#forgetRestart(link);
    try {
      this.#isSaid(other, { kind: "restarted", id, description: await link.connection.takeRestart(description) });
    } catch {
      // The link stays as it is, or ends.
    }
  }

  async #restarted(other: Other, answer: PeerSignal & { kind: "restarted" }): Promise<void> {
    const link = this.#links.get(other.name);
    if (link?.restart === undefined || compare(link.restart.id, answer.id) !== 0) return;
    if (compare(link.fingerprint, answer.description.fingerprint) !== 0) return;
    this.#forgetRestart(link);
    // The other side has another way by now. If this one can't take it, the link ends soon.
    await link.connection.acceptRestart(answer.description).catch(() => undefined);
  }

  #forgetRestart(link: Link): void {
    clearTimeout(link.restart?.timer);
    link.restart = undefined;
  }

  #forget(link: Link): void {
    clearTimeout(link.timer);
    this.#forgetRestart(link);
  }

  /** Ends one of too many links, but not that one. */
  #makeRoom(except: string): void {
    if (this.#links.size <= this.#context.maxPeers) return;
    const names = [...this.#links.keys()].filter((name) => name !== except);
    this.#links.get(names[Math.floor(Math.random() * names.length)]!)?.link.end();
  }

  /** A link ends so long after its ticket has expired. */
  #limit(link: Link, ticket: Ticket): void {
    clearTimeout(link.timer);
    link.endsAt = ticket.expiresAt + this.#context.graceMs;
    link.timer = setTimeout(() => link.link.end(), Math.min(Math.max(0, link.endsAt - Date.now()), TIMER_MS_MAX));
  }

  #failed(attempt: Attempt, restMs = attempt.other.restMs, restMsMax = REST_MS_MAX): void {
    attempt.other.tryAt = Date.now() + restMs;
    attempt.other.restMs = Math.min(2 * restMs, restMsMax);
    this.#give(attempt);
    if (this.#isLive) this.#fill();
  }

  #give(attempt: Attempt): void {
    attempt.limit.end();
    attempt.end.abort();
    attempt.connection?.close();
    if (this.#attempts.get(attempt.other.name) === attempt) this.#attempts.delete(attempt.other.name);
  }

  // What is said by way of others.

  /** How long a ticket is good after it has expired. Where there is a relay it gives fresh ones. */
  get #graceMs(): number {
    return this.#context.hasRelay() ? 0 : this.#context.graceMs;
  }

  /** `asked` takes the names of those by whose way it is said. */
  #say(other: Other, signal: PeerSignal, asked?: Set<string>): void {
    if (!this.#isSaid(other, signal, asked)) throw new Error("nothing can be said to the other one now");
  }

  /** Says something by the way that the other one was heard last; without one by way of relays, or else of all linked. */
  #isSaid(other: Other, signal: PeerSignal, asked?: Set<string>): boolean {
    const bytes = write(signal);
    const via = this.#links.get(other.via ?? "");
    if (via !== undefined) return via.link.pass(passOn(other.key, bytes));
    if (this.#context.run((engine) => engine.signal(other.key, other.region, bytes))) return true;
    const message = passOn(other.key, bytes);
    // Not the other one itself, to whom the link may be lost.
    const links = [...this.#links].filter(([name]) => name !== other.name);
    const names = links.filter(([, { link }]) => link.pass(message)).map(([name]) => name);
    names.forEach((name) => asked?.add(name));
    return names.length > 0;
  }

  /** Somebody who is linked says something to another one who is, or passes on what another one says. */
  #passing(from: Link, { kind, key, bytes }: Passing): void {
    if (!this.#isLive || !from.passer.may(Date.now())) return;
    const name = hex(key);
    if (kind === "passedOn") {
      this.#hear(() => this.#said(name, undefined, bytes, from.other.name));
      return;
    }
    const isPassed = this.#links.get(name)?.link.pass(passedOn(from.other.key, bytes)) === true;
    if (!isPassed) from.link.pass(passedOn(key, new Uint8Array()));
  }
}
