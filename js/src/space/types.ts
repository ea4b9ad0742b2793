// Whoever uses these types gets `AsyncDisposable` with them, whatever their own `lib` is.
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The public types of a space, its documents and its commits. Only what exists is declared here; the type test compares
 * every declaration with the project's contract.
 */
import type { EyotError } from "../base/error.js";
import type { DocId, DocUrl } from "../base/id.js";
import type { Wait } from "../base/wait.js";
import type { IceServer, Invitation, InviteOptions, JoinOptions, LinkInfo, PeerOptions } from "../peers/types.js";
import type { Relays, TokenSource } from "../relays/options.js";
import type { Storage } from "../storage/choice.js";
import type { Patch, Path } from "../value/patch.js";
import type { Draft, Json, Storable, Value } from "../value/value.js";

export type { IceServer, Invitation, InviteOptions, JoinOptions, LinkInfo, PeerOptions };

export type Unsubscribe = () => void;

/** How many regions to wait for, and how long. */
export type RegionsWait = Wait & { regions?: number | undefined };

export interface SpaceOptions {
  /** Relay addresses (`wss://…`), or the URL of a directory that lists them as `[{ region, url }]`. Omitted: no relay. */
  relays?: Relays | undefined;
  /** Bearer token for relays, or a function asked for a fresh one before the old one expires. */
  token?: TokenSource | undefined;
  /** Where this replica keeps its log. Default: IndexedDB where there is one, otherwise memory. */
  storage?: Storage | undefined;
  /**
   * Asks the browser never to evict what IndexedDB holds; some browsers ask the user. The answer is
   * `status.storage.persisted`. Storage elsewhere is not evicted, and nobody is asked there. Default: false.
   */
  persist?: boolean | undefined;
  /**
   * Direct links to other replicas, which relays tell of: they go on when the relays are gone. Who is linked learns this
   * device's addresses. Default: off. The `iceServers` are for `invite()` and `join()`, too. Where the platform can't make
   * such links, `status.error` is `unavailable`.
   */
  peerToPeer?: boolean | PeerOptions | undefined;
  /** Ends the opening. */
  signal?: AbortSignal | undefined;
}

/** Its methods need no `this`: `const { subscribe } = space` works. */
export interface Space extends AsyncDisposable {
  readonly name: string;
  /** Makes a document with a fresh id. It exists locally at once. */
  create<T extends object>(initial: T & Storable<T>): Doc<T>;
  /**
   * The document of that name. Where storage has none it begins with `initial`: constants, the same at every replica. If
   * several replicas make it independently, their documents merge, key by key, and a value that is held wins over an
   * initial one. Never waits for a relay. The initial values are sent with the first edit.
   */
  named<T extends object>(name: string, initial: T & Storable<T>): Promise<Doc<T>>;
  /**
   * Opens a document by id or URL. Each call returns a handle of its own; closing the last one frees the memory. Rejects
   * with `not-found` only once both storage and a relay (if there are relays) have answered that they do not have it.
   */
  open<T extends object>(id: DocId | DocUrl, options?: Wait): Promise<Doc<T>>;
  /** Deletes a document in all replicas, for good. Edits made at the same time are lost. */
  delete(id: DocId | DocUrl): Commit;
  /**
   * Makes one commit of all that `fn` does to documents with `change`, `create` and `delete`: every replica applies it whole,
   * and subscribers are told once all of it is there. Synchronous: reads inside see what was written. If `fn` throws,
   * nothing has changed. Nothing else of the space can be used inside but values and `status`.
   */
  transact<R>(fn: () => R, options?: { message?: string | undefined }): { result: R; commit: Commit };
  /**
   * Undoes this replica's last step in all documents that are open; undefined where there is none. Changes within half a
   * second are one step, until others edit what it touches; a transaction is a step of its own. Only what this replica has
   * done is undone, in earlier sessions too, and what others have edited since stays. To make or delete a document is no step.
   */
  undo(): Commit | undefined;
  /** Does again what was undone last, until something else is changed. */
  redo(): Commit | undefined;
  /** Whether there is something to undo and to redo; the same object until that changes. */
  readonly undoState: UndoState;
  /** Calls the listener when `undoState` has changed. */
  subscribeUndo(listener: (state: UndoState) => void): Unsubscribe;
  /** The documents that this replica holds, without opening them; the same array until something about it changes. */
  documents(): readonly DocInfo[];
  /** Calls the listener when `documents()` has changed. New sizes of documents are told within a fifth of a second. */
  subscribeDocuments(listener: (documents: readonly DocInfo[]) => void): Unsubscribe;
  /**
   * A live query over the values of all documents, without opening any or loading their history. What matches `where` is in
   * `results`, ordered by the key `orderBy` (and by id where that is the same), at most `limit` of it. Close it when it
   * is not needed any more: until then it follows every document.
   */
  query<T extends object>(query: Query<T>): LiveQuery<T>;

  /** Immutable; a new object whenever anything in it changes. */
  readonly status: Status;
  subscribe(listener: (status: Status) => void): Unsubscribe;
  /** Resolves once every commit that this process has made so far is on this device's disk. Rejects with the storage error. */
  saved(): Promise<void>;
  /** Resolves once this replica holds all that its relay held when asked. */
  synced(options?: Wait): Promise<void>;
  /**
   * Resolves once every commit made so far, by any tab or earlier session of this replica, is stored in that many regions
   * (default 1). More regions than exist, or a space without relays: `invalid`; before a relay has told how many there are,
   * it waits.
   */
  durable(options?: RegionsWait): Promise<void>;
  /**
   * Resolves once this replica has caught up with the logs of that many regions: a read quorum. More regions than exist:
   * `invalid`.
   */
  fresh(options: Wait & { regions: number }): Promise<void>;

  /** The links that are up, to the relay and to other replicas, as they are now. */
  links(): readonly LinkInfo[];
  /**
   * Links to the replica of this space at the other end of a port, which calls `connect` with its end: a page and its
   * worker, two pages. Needs no relay. The port is this space's from then on. It is closed by the function that is
   * returned, and with the space. A link that ends meanwhile is begun again; `status.error` says why there can be none.
   */
  connect(port: MessagePort): Unsubscribe;
  /**
   * Makes an invitation to link directly by WebRTC, for a person to carry: a text of some 250 characters, which fits a QR
   * code. It is good for one answer, within ten minutes. The text holds this device's addresses: who reads it learns
   * them. `unavailable` where there is no WebRTC; `denied` where this replica may only read and the other should write.
   */
  invite(options?: InviteOptions): Promise<Invitation>;
  /**
   * Answers an invitation. The answer goes back to who invited, for `accept()`, and holds this device's addresses. The
   * link comes once it is there: see `links()`. A text that is no invitation is `invalid`, one to another space
   * `incompatible`, an old one `expired`.
   */
  join(invitation: string, options?: JoinOptions): Promise<{ answer: string }>;

  /** Who is here, and what each shows of itself: a name, a cursor. Nothing of it is kept. */
  readonly presence: Presence;

  /** Whether the application lets this replica reach its relays. */
  readonly online: boolean;
  /** Disconnects this replica from its relays, or lets it connect again. Edits work either way, and so do other links. */
  setOnline(online: boolean): void;

  /**
   * Closes the space and wipes this replica from this device: for a logout. What no region has stored would be lost, and
   * rejects with `unsent` unless forced; without relays that is every document. Other tabs that have the space open
   * save nothing more, and say so from their next change on (`storage`): close it there first. Opened again, the space is a
   * new and empty replica.
   */
  destroy(options?: { force?: boolean | undefined }): Promise<void>;
  /** Flushes storage, closes links. Idempotent. */
  close(): Promise<void>;
}

/** Its methods need no `this`: `useSyncExternalStore(doc.subscribe, () => doc.value)` works. */
export interface Doc<T extends object> {
  readonly id: DocId;
  readonly url: DocUrl;
  /**
   * Immutable snapshot, deeply; the same reference until it changes; unchanged parts are shared with the one before.
   * Readable after `close`. A Uint8Array cannot be frozen: what is written into one here is no edit, and nobody else sees
   * it. Edit the one of the draft.
   */
  readonly value: Value<T>;
  /** The commit that made the document, on the handle that `create` has returned. */
  readonly created: Commit | undefined;
  /** Deleted, here or elsewhere: `value` stays, edits are `not-found`, subscribers were told. */
  readonly deleted: boolean;
  readonly heads: readonly string[];
  /**
   * Edits a draft. Synchronous: `value` is the new one when this returns. If `fn` throws, nothing has changed. If `fn`
   * edits nothing, no commit is made, and the one that is returned counts as durable already. Bytes and dates may be
   * edited in place: they are compared when `fn` has returned.
   */
  change(fn: (draft: Draft<T>) => void, options?: { message?: string | undefined }): Commit;
  subscribe(listener: (value: Value<T>, event: ChangeEvent) => void): Unsubscribe;
  /**
   * All values that were set at a path at the same time, by the id of the operation that set each; undefined where there is
   * no more than one. `value` shows one of them, the same at every replica. A key that is set after all of them has no conflict;
   * a string that is assigned to a text edits it and decides nothing.
   */
  conflicts(path: Path): Readonly<Record<string, Json>> | undefined;
  /** Every change of the document, causes before effects. */
  history(): readonly ChangeInfo[];
  /** The value as of those heads: what `heads` was then. */
  at(heads: readonly string[]): Value<T>;
  /** Rich text as runs with their marks. */
  spans(path: Path): readonly Span[];
  /** A position in a text or list that stays with what is there, whatever is edited around it. */
  cursor(path: Path, index: number): Cursor;
  /** Where a cursor is now. Where what was there is gone, it is at what follows. */
  position(cursor: Cursor): number;
  /** Undoes this replica's last step in this document: see `Space.undo`. Of a transaction, the part of it that is here. */
  undo(): Commit | undefined;
  redo(): Commit | undefined;
  /** A standard Automerge file. */
  export(): Uint8Array;
  /** Merges a standard Automerge file. */
  merge(file: Uint8Array | ArrayBufferLike | ArrayBufferView): Commit;
  /**
   * Frees the memory of this handle. The document stays. Use after close throws an `EyotError` with code `closed`; only
   * `value` and `deleted` can still be read.
   */
  close(): void;
}

export interface UndoState {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
}

/** Part of a rich text, with the values of its marks by their names. A block marker is a part without text. */
export interface Span {
  readonly text: string;
  readonly marks: Readonly<Record<string, string | number | boolean>>;
  readonly block?: Readonly<Record<string, Json>>;
}

/** A change of a document. */
export interface ChangeInfo {
  /** What `heads` and `at` know it by. */
  readonly hash: string;
  /** The process that made it: each start of a replica is another. */
  readonly actor: string;
  /** Milliseconds since 1970, by its author's clock, to the second. */
  readonly time: number;
  readonly message?: string;
  readonly operations: number;
}

export type Cursor = string;

export interface Commit {
  /** Hexadecimal; empty if there was nothing to commit. */
  readonly id: string;
  /**
   * Resolves once the commit is on this device's disk (in memory, for `memory()`). Rejects with the storage error. A
   * rejection that nobody handles is not reported as unhandled.
   */
  readonly saved: Promise<void>;
  /** Resolves once that many regions have the commit on disk (default 1). */
  durable(options?: RegionsWait): Promise<void>;
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
  /** Links that are up, to relays and to other replicas: not how many others there are. */
  readonly peers: number;
  /** Foreign changes held but not applied: over budget, malformed, or forked. */
  readonly quarantined: number;
  /**
   * Where this replica really is kept: `memory` where nothing outlives the process, whatever was asked for. `persisted`:
   * whether the browser has promised not to evict it; undefined until it has answered, and where there is no browser to ask.
   */
  readonly storage: { readonly kind: string; readonly persisted?: boolean };
  /** What is wrong now. Where there is no link to a relay: which, and what the last try failed by. */
  readonly error?: EyotError;
}

/** What to look for in all documents of a space. */
export interface Query<T> {
  /**
   * What a document's value must be: a function that looks at it, or an object of which each key must be equal to that of
   * the value, deeply. Without it: all documents. A function that throws for a document leaves that out.
   */
  where?: Partial<T> | ((value: Value<T>) => boolean) | undefined;
  /**
   * The key of the value that documents are ordered by, from the least: what is absent comes first, then null, booleans,
   * numbers, dates and strings.
   */
  orderBy?: (keyof T & string) | undefined;
  descending?: boolean | undefined;
  limit?: number | undefined;
}

/** The documents that match a query, as they are. */
export interface LiveQuery<T> {
  /** Resolves once `results` are those of all documents. Before that there are none. */
  readonly ready: Promise<void>;
  /** Immutable; another list whenever anything in it is different. What has not changed in it is the same object. */
  readonly results: readonly QueryResult<T>[];
  subscribe(listener: (results: LiveQuery<T>["results"]) => void): Unsubscribe;
  /** `results` stay what they were. */
  close(): void;
}

/** A document that matches a query. */
export interface QueryResult<T> {
  readonly id: DocId;
  readonly value: Value<T>;
}

export interface DocInfo {
  readonly id: DocId;
  readonly name?: string;
  readonly bytes: number;
  readonly commits: number;
}

/** Its methods need no `this`. */
export interface Presence {
  /** Under which others see this process. Another one each time that a space is opened. */
  readonly id: string;
  /**
   * What others see of this process, until the space is closed: at most 1 KiB (`too-large`); undefined: nothing. They
   * get the latest, within a quarter of a second and the way to them. Who stops saying so is seen for 10 seconds more.
   */
  set(state: Json | undefined): void;
  /**
   * Shows one key of the state beside what `set` shows, which is an object then, and instead of a key of that name in it: so
   * that the parts of an application need not know of one another. Editors show `caret`. Undefined: no more.
   */
  setPart(name: string, state: Json | undefined): void;
  /**
   * What each other process shows now, by its id; another map when anything has changed. Other tabs are others. Of more
   * than 100 a part. Whoever may open the space may say anything in it, under any id, and its states may be those of
   * another version of the application.
   */
  readonly others: ReadonlyMap<string, Json>;
  subscribe(listener: (others: ReadonlyMap<string, Json>) => void): Unsubscribe;
}

export interface ChangeEvent {
  readonly origin: "local" | "remote";
  readonly patches: readonly Patch[];
  /** The document was deleted. It is the last event about it. */
  readonly deleted?: true;
}
