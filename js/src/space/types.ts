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
  /**
   * The document of that name. It is made from `initial` if storage has none; if several replicas make it independently,
   * their documents merge, key by key. Never waits for a relay.
   */
  named<T extends Json>(name: string, initial: T): Promise<Doc<T>>;
  /**
   * Opens a document by id or URL. Each call returns a handle of its own; closing the last one frees the memory. Rejects
   * with `not-found` only once both storage and a relay (if there are relays) have answered that they do not have it.
   */
  open<T extends Json>(id: DocId | DocUrl, options?: Wait): Promise<Doc<T>>;
  /** Deletes a document in all replicas, for good. Edits made at the same time are lost. */
  delete(id: DocId | DocUrl): Commit;
  /** The documents that this replica holds. Opens none of them. */
  documents(): readonly DocInfo[];

  /** Immutable; a new object whenever anything in it changes. */
  readonly status: Status;
  subscribe(listener: (status: Status) => void): Unsubscribe;
  /** Resolves once this replica holds all that its relay held when asked. */
  synced(options?: Wait): Promise<void>;
  /**
   * Resolves once every commit made so far, by any tab or earlier session of this replica, is stored in that many regions
   * (default 1). More regions than exist, or a space without relays: `invalid`; before a relay has told how many there are,
   * it waits.
   */
  durable(options?: Wait & { regions?: number }): Promise<void>;
  /**
   * Resolves once this replica has caught up with the logs of that many regions: a read quorum. More regions than exist:
   * `invalid`.
   */
  fresh(options: Wait & { regions: number }): Promise<void>;

  /** Whether the application lets this replica reach its relays. */
  readonly online: boolean;
  /** Disconnects this replica from its relays, or lets it connect again. Edits work either way. */
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
  /**
   * Edits a draft. Synchronous: `value` is the new one when this returns. If `fn` throws, nothing has changed. If `fn`
   * edits nothing, no commit is made, and the one that is returned counts as durable already.
   */
  change(fn: (draft: T) => void, options?: { message?: string }): Commit;
  subscribe(listener: (value: Readonly<T>, event: ChangeEvent) => void): Unsubscribe;
  /** A standard Automerge file. */
  export(): Uint8Array;
  /** Merges a standard Automerge file. */
  merge(file: Uint8Array): Commit;
  /** Frees the memory of this handle. The document stays. Use after close throws an `EyotError` with code `closed`. */
  close(): void;
}

export interface Commit {
  /** Hexadecimal; empty if there was nothing to commit. */
  readonly id: string;
  /**
   * Resolves once the commit is on this device's disk (in memory, for `memory()`). Rejects with the storage error. A
   * rejection that nobody handles is not reported as unhandled.
   */
  readonly saved: Promise<void>;
  /** Resolves once that many regions have the commit on disk (default 1). */
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
