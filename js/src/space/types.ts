/**
 * The public types of a space, its documents and its commits. Only what exists is declared here; the type test compares
 * every declaration with the project's contract.
 */
import type { EyotError } from "../base/error.js";
import type { DocId, DocUrl } from "../base/id.js";
import type { Wait } from "../base/wait.js";
import type { Relays, TokenSource } from "../relays/options.js";
import type { Storage } from "../storage/choice.js";
import type { Patch } from "../value/patch.js";
import type { Json } from "../value/value.js";

export type Unsubscribe = () => void;

export interface SpaceOptions {
  /** Relay addresses (`wss://…`), or the URL of a directory that lists them as `[{ region, url }]`. Omitted: no relay. */
  relays?: Relays;
  /** Bearer token for relays, or a function asked for a fresh one before the old one expires. */
  token?: TokenSource;
  /** Where this replica keeps its log. Default: IndexedDB where there is one, otherwise memory. */
  storage?: Storage;
  /** Ends the opening. */
  signal?: AbortSignal;
}

export interface Space extends AsyncDisposable {
  readonly name: string;
  /** Makes a document with a fresh id. It exists locally at once. */
  create<T extends Json>(initial: T): Doc<T>;
  /** The document of that name, made from `initial` if storage has none; replicas that make it apart merge, key by key. Never waits for a relay. */
  named<T extends Json>(name: string, initial: T): Promise<Doc<T>>;
  /** Opens a document by id or URL; handles are counted, the last `close` frees. Rejects with `not-found` only once storage and a relay (if any) have both answered no. */
  open<T extends Json>(id: DocId | DocUrl, options?: Wait): Promise<Doc<T>>;
  /** Removes a document everywhere, for good. Concurrent edits lose. */
  delete(id: DocId | DocUrl): Commit;
  /** Documents held, without opening them. */
  documents(): readonly DocInfo[];

  /** Immutable; a new object whenever anything in it changes. */
  readonly status: Status;
  subscribe(listener: (status: Status) => void): Unsubscribe;
  /** Resolves once this replica holds all that its relay held when asked. */
  synced(options?: Wait): Promise<void>;
  /** Resolves once every commit made so far, by any tab or earlier session of this replica, is stored in that many regions (default 1). More regions than exist: `invalid`. */
  durable(options?: Wait & { regions?: number }): Promise<void>;
  /** Resolves once the logs of that many regions have been caught up with: a read quorum. More regions than exist: `invalid`. */
  fresh(options: Wait & { regions: number }): Promise<void>;

  /** Whether the application lets this replica reach its relays. */
  readonly online: boolean;
  /** Takes this replica off its relays, or lets it back on. Edits go on either way. */
  setOnline(online: boolean): void;

  /** Flushes storage, closes links. Idempotent. */
  close(): Promise<void>;
}

export interface Doc<T extends Json> {
  readonly id: DocId;
  readonly url: DocUrl;
  /** Immutable snapshot; the same reference until it changes; unchanged parts are shared with the one before. */
  readonly value: Readonly<T>;
  readonly heads: readonly string[];
  /** Edits a draft. Synchronous: `value` is the new one when this returns. A throw in `fn` leaves nothing behind; an edit of nothing makes no commit and returns one already durable. */
  change(fn: (draft: T) => void, options?: { message?: string }): Commit;
  subscribe(listener: (value: Readonly<T>, event: ChangeEvent) => void): Unsubscribe;
  /** A standard Automerge file. */
  export(): Uint8Array;
  /** Merges a standard Automerge file. */
  merge(file: Uint8Array): Commit;
  /** Lets go of the memory this handle holds; the document stays. Use after close is an `EyotError` with code `closed`. */
  close(): void;
}

export interface Commit {
  /** Hexadecimal; empty if there was nothing to commit. */
  readonly id: string;
  /** Resolves once it is on this device's disk (or in memory, for `memory()`). Rejects with the storage error; left alone, a rejection troubles nobody. */
  readonly saved: Promise<void>;
  /** Resolves once that many regions have it on disk (default 1). */
  durable(options?: Wait & { regions?: number }): Promise<void>;
}

export interface Status {
  readonly state: "local" | "connecting" | "syncing" | "live" | "offline" | "denied" | "closed";
  readonly relay?: { readonly url: string; readonly region: string; readonly rttMs: number };
  /** Has caught up with a relay at least once since it was opened. */
  readonly synced: boolean;
  /** Own commits not yet on this device's disk, and not yet stored by any region. */
  readonly unsaved: number;
  readonly unsent: number;
  /** By region: how many of our own commits it has yet to store. */
  readonly behind: Readonly<Record<string, number>>;
  readonly peers: number;
  /** Foreign changes held but not applied: over budget, malformed, or forked. */
  readonly quarantined: number;
  readonly error?: EyotError;
}

export interface DocInfo {
  readonly id: DocId;
  readonly name?: string;
  readonly bytes: number;
  readonly commits: number;
}

export interface ChangeEvent {
  readonly origin: "local" | "remote";
  readonly patches: readonly Patch[];
}
