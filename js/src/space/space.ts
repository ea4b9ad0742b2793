/**
 * A space as the application holds it. It calls the engine and handles the engine's events. Listeners of the application
 * run only once all of the space's state is up to date.
 */
import { bindMethods } from "../base/bind.js";
import { checkBoolean, checkFunction, checkName, checkText, isThenable, optionsOf } from "../base/check.js";
import { EyotError, invalid } from "../base/error.js";
import { hex, parseId, type DocId, type DocUrl } from "../base/id.js";
import { Limit, throwIfAborted, waitOf, type Wait } from "../base/wait.js";
import { EngineGuard } from "../engine/guard.js";
import type { Engine, EngineEvent, EngineOptions, Made } from "../engine/instance.js";
import type { PeerContext } from "../peers/context.js";
import { Peers } from "../peers/peers.js";
import type { Rtc } from "../peers/rtc.js";
import type { Invitation, InviteOptions, JoinOptions, LinkInfo, PeerOptions } from "../peers/types.js";
import type { Network } from "../relays/network.js";
import { Reach } from "../relays/reach.js";
import { encode } from "../value/codec.js";
import { PUT, type Op } from "../value/op.js";
import type { Patch } from "../value/patch.js";
import { snapshotRoot } from "../value/snapshot.js";
import { Beginnings } from "./beginnings.js";
import { NO_COMMIT, OwnCommit, regionsOf, Saves } from "./commit.js";
import type { EditedDoc, HereChange, Kept, SpaceContext } from "./context.js";
import { DocList } from "./doc-list.js";
import { DocTable } from "./doc-table.js";
import { DocValues } from "./doc-values.js";
import { Outbox } from "./outbox.js";
import { OwnPresence } from "./presence.js";
import { OpenQuery } from "./query.js";
import { late } from "./status.js";
import { StatusFeed } from "./status-feed.js";
import { Transaction } from "./transaction.js";
import type {
  Commit,
  Doc,
  DocInfo,
  LiveQuery,
  Query,
  RegionsWait,
  Space,
  SpaceOptions,
  Status,
  UndoState,
  Unsubscribe,
} from "./types.js";
import { Undo, type Redoing, type UndoHost } from "./undo.js";

/** The longest name of a document, in bytes. */
const NAME_BYTES_MAX = 1_024;

/** Options that were checked. */
export type CheckedOptions = Omit<SpaceOptions, "peerToPeer"> & { peerToPeer?: PeerOptions | undefined };

/** What a platform has around a space. */
export interface Surroundings {
  network?: Network;
  /** Finds WebRTC, where it is not a global class. */
  rtc?: () => Promise<Rtc>;
}

export class OpenSpace implements Space, SpaceContext, PeerContext, UndoHost {
  readonly name: string;
  engine!: EngineGuard;
  readonly #saves = new Saves();
  readonly outbox = new Outbox();
  transaction: Transaction | undefined;
  readonly #docs = new DocTable(this, this.#saves);
  readonly #list = new DocList(this);
  readonly #values = new DocValues(this);
  readonly undoing = new Undo(this);
  readonly #beginnings = new Beginnings();
  readonly #reach: Reach;
  readonly #peers: Peers;
  readonly #status: StatusFeed;
  readonly presence = new OwnPresence(this);
  #closing: Promise<void> | undefined;
  #online = true;
  /** Stops the platform's hints about the network. */
  #unfollow: (() => void) | undefined;
  readonly #kept: Kept;
  #abandoned: Promise<void> | undefined;
  /** Events that are not handled yet. */
  readonly #events: EngineEvent[] = [];

  private constructor(name: string, options: CheckedOptions, kept: Kept, { rtc }: Surroundings) {
    this.name = name;
    this.#reach = new Reach(this, options);
    this.#peers = new Peers(this, name, options.peerToPeer, rtc);
    this.#status = new StatusFeed(this, this.#reach, this.#peers, { kind: kept.kind });
    this.#kept = kept;
    bindMethods(this);
  }

  static async open(
    name: string,
    options: CheckedOptions,
    engine: Pick<EngineOptions, "storage" | "connect">,
    kept: Kept,
    surroundings: Surroundings,
  ): Promise<OpenSpace> {
    const space = new OpenSpace(name, options, kept, surroundings);
    space.engine = await EngineGuard.open(
      { space: name, ...engine, ...space.#reach.options },
      (events) => space.#hear(events),
      (error) => space.#die(error),
    );
    space.#status.changed();
    space.#reach.setOnline(true);
    space.#peers.start();
    if (space.#reach.isWanted) space.#follow(surroundings.network);
    if (kept.kind === "indexedDb") space.#askPersisted(options.persist === true);
    return space;
  }

  create<T extends object>(initial: object): Doc<T> {
    this.check();
    const value = snapshotRoot(initial);
    const ops = Object.keys(value).map((key): Op => [PUT, [key], value[key]]);
    const { transaction } = this;
    if (transaction !== undefined) {
      const id = crypto.getRandomValues(new Uint8Array(16));
      return this.#docs.create<T>(id, value, (doc) => transaction.create(doc, ops));
    }
    const made = this.run((engine) => engine.create(encode(ops), undefined));
    const commit = this.commit(made);
    this.#list.changed();
    return this.#docs.create<T>(made.doc, value, () => commit);
  }

  async named<T extends object>(name: string, initial: object): Promise<Doc<T>> {
    checkName("a document's name", name, NAME_BYTES_MAX);
    const value = snapshotRoot(initial);
    this.#beginnings.check(name, value);
    const doc = await this.#docs.named<T>(name, encode(value));
    this.#list.changed();
    return doc;
  }

  async open<T extends object>(id: DocId | DocUrl, options?: Wait): Promise<Doc<T>> {
    const bytes = parseId(id);
    const limit = new Limit(waitOf("open()", options));
    let arrived = (): void => undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const forget = this.#docs.onArrival(bytes, arrived);
    try {
      const held = await this.#docs.load<T>(bytes, limit);
      if (held !== undefined) return held;
      if (this.#reach.isWanted) {
        await Promise.race([arrival, this.#askRelays(limit, (engine) => engine.synced())]);
        const found = await this.#docs.load<T>(bytes, limit);
        if (found !== undefined) return found;
      }
      throw new EyotError(
        "not-found",
        `there is no document ${id} here; one opened by its name comes with its first edit`,
      );
    } finally {
      forget();
      limit.end();
    }
  }

  delete(id: DocId | DocUrl): Commit {
    const bytes = parseId(id);
    if (this.transaction !== undefined) return this.transaction.delete(hex(bytes), bytes, this.#docs.shared(bytes));
    const made = this.run(
      (engine) => engine.remove(bytes),
      () => {
        this.#docs.delete(bytes);
        this.#list.changed();
      },
    );
    return this.commit(made);
  }

  transact<R>(fn: () => R, options?: { message?: string | undefined }): { result: R; commit: Commit } {
    checkFunction("what transact() takes", fn);
    const { message } = optionsOf<{ message?: string }>("transact()", options, ["message"]);
    if (message !== undefined) checkText("the message of a transaction", message);
    this.check();
    if (this.transaction !== undefined) throw invalid("a transaction is under way: what is done belongs to that one");
    let result!: R;
    const commit = this.#commitAll(message, () => {
      result = fn();
      if (isThenable(result))
        throw invalid("transact() takes a function that is done when it returns, not an async one");
    });
    return { result, commit };
  }

  /** Makes one commit of what `work` does. */
  #commitAll(message: string | undefined, work: (transaction: Transaction) => void): Commit {
    const transaction = (this.transaction = new Transaction());
    this.outbox.calls += 1;
    this.engine.hold = "inside transact() documents are changed, created and deleted, and nothing else";
    try {
      work(transaction);
      this.engine.hold = undefined;
      const commit = transaction.finish(
        message,
        (edits) => this.engine.call((engine) => engine.transact(edits)),
        (made) => this.commit(made),
      );
      this.#list.changed();
      return commit;
    } catch (error) {
      transaction.rollBack(error);
      throw error;
    } finally {
      this.engine.hold = this.transaction = undefined;
      this.outbox.calls -= 1;
      this.#docs.closeReleased();
      this.#handleEvents();
    }
  }

  undo(): Commit | undefined {
    this.check();
    return this.undoing.undo();
  }

  redo(): Commit | undefined {
    this.check();
    return this.undoing.redo();
  }

  get undoState(): UndoState {
    return this.undoing.state;
  }

  subscribeUndo(listener: (state: UndoState) => void): Unsubscribe {
    this.check();
    return this.undoing.subscribe(listener);
  }

  documents(): readonly DocInfo[] {
    this.check();
    return this.#list.list;
  }

  subscribeDocuments(listener: (documents: readonly DocInfo[]) => void): Unsubscribe {
    this.check();
    return this.#list.subscribe(listener);
  }

  query<T extends object>(query: Query<T>): LiveQuery<T> {
    this.check();
    return new OpenQuery<T>(this, this.#values, query);
  }

  get status(): Status {
    return this.#status.status;
  }

  subscribe(listener: (status: Status) => void): Unsubscribe {
    return this.#status.subscribe(listener);
  }

  saved(): Promise<void> {
    return this.#saves.wait(this.#saves.last);
  }

  async synced(options?: Wait): Promise<void> {
    await this.#wait(waitOf("synced()", options), (engine) => engine.synced());
  }

  durable(options?: RegionsWait): Promise<void> {
    return this.#durable(undefined, options);
  }

  async fresh(options?: RegionsWait): Promise<void> {
    const { regions, wait } = regionsOf("fresh()", options);
    await this.#wait(wait, (engine) => engine.fresh(regions));
  }

  links(): readonly LinkInfo[] {
    return this.#peers.list();
  }

  connect(port: MessagePort): Unsubscribe {
    this.check();
    return this.#peers.connect(port);
  }

  async invite(options?: InviteOptions): Promise<Invitation> {
    this.check();
    return this.#peers.invite(options);
  }

  async join(invitation: string, options?: JoinOptions): Promise<{ answer: string }> {
    this.check();
    return this.#peers.join(invitation, options);
  }

  get online(): boolean {
    return this.#online;
  }

  setOnline(online: boolean): void {
    checkBoolean("what setOnline() takes", online);
    this.#link(online);
    this.#online = online;
    this.#status.changed();
  }

  async destroy(options?: { force?: boolean | undefined }): Promise<void> {
    const { force = false } = optionsOf<{ force?: boolean }>("destroy()", options, ["force"]);
    checkBoolean("force", force);
    this.check();
    if (!force && this.#losesSome()) {
      const what = "has what no region has stored: wait for durable(), or destroy it by force";
      throw new EyotError("unsent", `the space ${this.name} ${what}`);
    }
    // What could not be saved is to be removed anyway.
    await this.close().catch(() => undefined);
    await this.#kept.wipe();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // What the parts of the space use, see `SpaceContext`.

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  get isUsable(): boolean {
    return !this.isClosed && this.engine.dead === undefined;
  }

  get relays(): readonly string[] {
    return this.#reach.relays;
  }

  changed(): void {
    this.#status.changed();
  }

  check(): void {
    if (this.isClosed) throw new EyotError("closed", `the space ${this.name} is closed`);
  }

  changedHere(doc: EditedDoc, change: HereChange): void {
    this.#values.touched(doc);
    this.undoing.made(doc, change, this.transaction);
  }

  changedElsewhere(doc: EditedDoc, patches?: readonly Patch[]): void {
    this.#values.touched(doc);
    if (patches === undefined) this.undoing.forget(doc);
    else this.undoing.passed(doc, patches);
  }

  openDocs(): Iterable<EditedDoc> {
    return this.#docs.open;
  }

  closed(bytes: Uint8Array): void {
    this.#values.changed(bytes);
  }

  commitRedo(changes: readonly Redoing[]): Commit {
    return this.#commitAll(undefined, (transaction) => {
      for (const { doc, value, ops, message } of changes)
        transaction.change(doc, { value, ops, before: new Map() }, message);
    });
  }

  run<R>(fn: (engine: Engine) => R, then?: (result: R) => void): R {
    this.check();
    this.outbox.calls += 1;
    try {
      const result = this.engine.call(fn);
      then?.(result);
      return result;
    } finally {
      this.outbox.calls -= 1;
      this.#handleEvents();
    }
  }

  commit(made: Made): Commit {
    if (made.seq === 0) return NO_COMMIT;
    this.#made(made);
    this.#list.grown();
    return new OwnCommit(made, this.#saves, (seq, options) => this.#durable(seq, options));
  }

  #made({ seq }: Made): void {
    this.#saves.made(seq);
  }

  // Waiting for relays.

  async #durable(seq: number | undefined, options?: RegionsWait): Promise<void> {
    const { regions, wait } = regionsOf("durable()", options, 1);
    await this.#wait(wait, (engine) => engine.durable(regions, seq));
  }

  async #wait(options: Wait, fn: (engine: Engine) => Promise<void>): Promise<void> {
    throwIfAborted(options.signal);
    const limit = new Limit(options);
    try {
      await this.#askRelays(limit, fn);
    } finally {
      limit.end();
    }
  }

  /** Waits for something that relays must answer. The engine can ask them once their addresses are known. */
  async #askRelays(limit: Limit, fn: (engine: Engine) => Promise<void>): Promise<void> {
    const { known } = this.#reach;
    try {
      if (known !== undefined) await this.engine.wait(() => known, limit);
      await this.engine.wait(fn, limit);
    } catch (error) {
      throw error instanceof EyotError && error.code === "timeout" ? late(error, this.status) : error;
    }
  }

  #link(online: boolean): void {
    this.run((engine) => engine.setOnline(online));
    this.#reach.setOnline(online);
  }

  /** Follows the platform's hints about the network, as long as the application itself wants to be online. */
  #follow(network: Network | undefined): void {
    this.#unfollow = network?.((online) => {
      if (this.#online && !this.isClosed) this.#link(online);
      if (online && !this.isClosed) this.#peers.networkChanged();
    });
  }

  /** Finds out whether the browser may evict what it stores. Only where the application says so it is asked not to. */
  #askPersisted(persist: boolean): void {
    const { storage } = globalThis.navigator as Partial<Navigator>;
    const answer = persist ? storage?.persist?.() : storage?.persisted?.();
    answer?.then(
      (persisted) => this.#status.setPersisted(persisted),
      () => undefined,
    );
  }

  // The end of a space.

  /** Whether something is nowhere else. Without relays that is all there is. */
  #losesSome(): boolean {
    return this.#reach.isWanted ? this.status.unsent > 0 : this.#list.list.length > 0;
  }

  async #close(): Promise<void> {
    if (this.#abandoned !== undefined) return this.#abandoned;
    this.#reach.end();
    try {
      await this.engine.wait((engine) => engine.close());
    } finally {
      if (this.engine.dead === undefined) this.#status.end();
      this.#stop(this.engine.end());
    }
  }

  #die(error: EyotError): void {
    this.#stop(error);
    this.#status.end(error);
    this.#abandoned = this.#kept.abandon();
  }

  #stop(error: EyotError): void {
    this.#reach.end();
    this.#peers.end();
    this.presence.end();
    this.#saves.end(error);
    this.#list.end();
    this.#values.end();
    this.#unfollow?.();
  }

  // Events of the engine.

  #hear(events: EngineEvent[]): void {
    this.#events.push(...events);
    this.#handleEvents();
  }

  /** Brings everything up to date before any listener runs. */
  #handleEvents(): void {
    if (this.outbox.calls > 0) return;
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) this.#handle(event);
    this.#docs.refresh();
    this.#values.refresh();
    this.presence.refresh();
    this.outbox.flush();
  }

  #handle(event: EngineEvent): void {
    switch (event.type) {
      case "patches":
      case "reset":
        this.#docs.handle(event);
        // It is closed here, and not in the engine yet.
        if (this.#docs.shared(event.doc) === undefined) this.#values.changed(event.doc);
        break;
      case "changed":
        this.#values.changed(event.doc);
        break;
      case "held":
      case "deleted":
        this.#docs.handle(event);
        if (event.type === "deleted") this.#values.deleted(event.doc);
        this.#list.changed();
        break;
      case "saved":
        this.#saves.saved(event.seq);
        this.#docs.closeReleased();
        break;
      case "saveFailed":
        this.#saves.failed(event.message);
        break;
      case "status":
        this.#status.changed();
        // One comes with every commit of others, too.
        this.#list.grown();
        break;
      case "unreachable":
        this.#reach.unreachable(this.status.relay !== undefined);
        break;
      case "introduced":
        this.#peers.introduced(event.key, event.region, event.ticket);
        break;
      case "signalled":
        this.#peers.signalled(event.key, event.region, event.bytes);
        break;
      case "receipt":
        this.#peers.receipt(event.bytes);
        break;
      case "present":
        this.presence.heard(event.id, event.state);
        break;
      case "tokenExpiring":
        this.#reach.tokenExpiring();
        break;
    }
  }
}
