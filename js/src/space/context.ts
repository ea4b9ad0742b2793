/** What the parts of a space share: the engine, the queue of listener calls, and whether the space is closed. */
import type { EngineGuard } from "../engine/guard.js";
import type { Engine, Made } from "../engine/instance.js";
import type { Outbox } from "./outbox.js";
import type { Recording } from "../draft/record.js";
import type { Op } from "../value/op.js";
import type { Patch } from "../value/patch.js";
import type { ValueMap } from "../value/value.js";
import type { Commit } from "./types.js";

export interface SpaceContext {
  readonly engine: EngineGuard;
  readonly outbox: Outbox;
  /** The `transact` that is under way. */
  readonly transaction: OpenTransaction | undefined;
  /** Whether `close` was called. */
  readonly isClosed: boolean;
  /** Throws if `close` was called. */
  check(): void;
  /** Undoes and redoes what this replica has done. */
  readonly undoing: Undoing;
  /** A change of an open document was made here: its value is the new one. */
  changedHere(doc: EditedDoc, change: HereChange): void;
  /** An open document was changed by others, or read anew (without patches). */
  changedElsewhere(doc: EditedDoc, patches?: readonly Patch[]): void;
  /** All documents that are open. */
  openDocs(): Iterable<EditedDoc>;
  /** A document was closed in the engine. */
  closed(bytes: Uint8Array): void;
  /** Calls the engine, and `then` with the result. Events that the engine sends meanwhile are handled after that. */
  run<R>(fn: (engine: Engine) => R, then?: (result: R) => void): R;
  /** The public form of a commit that the engine has made. */
  commit(made: Made): Commit;
}

/** A change of an open document that was made here. */
export interface HereChange {
  readonly before: ValueMap;
  readonly ops: readonly Op[];
  /** The text that each `RETEXT` replaced. */
  readonly texts: ReadonlyMap<Op, string>;
}

/** An open document as transactions edit it. */
export interface EditedDoc {
  readonly key: string;
  readonly bytes: Uint8Array;
  value: ValueMap;
  deleted: boolean;
  /** `value` is that of a commit: subscribers are told. */
  edited(change: HereChange): void;
  /** It is deleted by a commit: subscribers are told. */
  removed(): void;
  /** What was done to it before, see `DocHistory`, in the core's encoding. */
  steps(most: number): Uint8Array;
  /** What undoes the change that was just made, in the core's encoding. */
  inverse(): Uint8Array;
}

/** Undoes and redoes the last step, in one document or in all. */
export interface Undoing {
  undo(doc?: EditedDoc): Commit | undefined;
  redo(doc?: EditedDoc): Commit | undefined;
}

/** What a `transact` collects. */
export interface OpenTransaction {
  create(doc: EditedDoc, ops: readonly Op[]): Commit;
  change(doc: EditedDoc, recording: Recording<ValueMap>, message?: string): Commit;
  delete(key: string, bytes: Uint8Array, doc: EditedDoc | undefined): Commit;
}

/** Where a space is kept, see `Status.storage`. */
export interface Kept {
  readonly kind: string;
  /** Closes the storage when the engine has failed and cannot. */
  abandon(): Promise<void>;
  /** Removes everything from the storage, once nobody has it open. */
  wipe(): Promise<void>;
}
