/**
 * One `transact`: collects what is done to documents, makes one commit of it, and tells subscribers after that. Until then
 * the engine knows nothing of it, so a throw only has to put back the values that were shown meanwhile.
 */
import { EyotError, invalid } from "../base/error.js";
import type { Wait } from "../base/wait.js";
import type { Recording } from "../draft/record.js";
import type { Made } from "../engine/instance.js";
import { encode } from "../value/codec.js";
import type { Op } from "../value/op.js";
import type { ValueMap } from "../value/value.js";
import { NO_COMMIT } from "./commit.js";
import type { EditedDoc, OpenTransaction } from "./context.js";
import type { Commit } from "./types.js";

// The first item of a document's edit, see `crate/core/docs/values.md`.
const CREATE = 0;
const CHANGE = 1;
const DELETE = 2;

/** What is done to one document. */
interface Part {
  readonly bytes: Uint8Array;
  kind: typeof CREATE | typeof CHANGE | typeof DELETE;
  /** Where it is open. */
  readonly doc: EditedDoc | undefined;
  /** Its value before. */
  readonly before: ValueMap | undefined;
  readonly ops: Op[];
  readonly texts: Map<Op, string>;
  /** What its change says of itself, if not what the transaction does. */
  message?: string | undefined;
}

export class Transaction implements OpenTransaction {
  readonly commit = new LaterCommit();
  /** By id in hexadecimal. */
  readonly #parts = new Map<string, Part>();

  create(doc: EditedDoc, ops: readonly Op[]): Commit {
    const part = this.#part(doc.key, doc.bytes, doc, CREATE);
    for (const op of ops) part.ops.push(op);
    return this.commit;
  }

  change(doc: EditedDoc, { value, ops, before }: Recording<ValueMap>, message?: string): Commit {
    const part = this.#part(doc.key, doc.bytes, doc, CHANGE);
    part.message = message ?? part.message;
    for (const op of ops) part.ops.push(op);
    for (const [op, text] of before) part.texts.set(op, text);
    doc.value = value;
    return this.commit;
  }

  delete(key: string, bytes: Uint8Array, doc: EditedDoc | undefined): Commit {
    const part = this.#part(key, bytes, doc, DELETE);
    // One that was made here never was.
    if (part.kind === CREATE) this.#parts.delete(key);
    part.kind = DELETE;
    if (doc !== undefined) doc.deleted = true;
    return this.commit;
  }

  /** Makes the commit, and queues what subscribers are to be told. */
  finish(message: string | undefined, transact: (edits: Uint8Array) => Made, commit: (made: Made) => Commit): Commit {
    const parts = [...this.#parts.values()];
    if (parts.length === 0) return this.commit.is(NO_COMMIT);
    const edits = parts.map(({ kind, bytes, ops, message: own = message }) =>
      kind === DELETE ? [kind, bytes] : [kind, bytes, ops, own ?? null],
    );
    const made = transact(encode(edits));
    for (const { kind, doc, before, ops, texts } of parts) {
      if (kind === CHANGE && before !== undefined) doc?.edited({ before, ops, texts });
      else if (kind === DELETE) doc?.removed();
    }
    return this.commit.is(commit(made));
  }

  /** Nothing was done after all. Documents that were made inside are gone. */
  rollBack(error: unknown): void {
    for (const { doc, before } of this.#parts.values()) {
      if (doc === undefined) continue;
      if (before !== undefined) doc.value = before;
      doc.deleted = before === undefined;
    }
    this.commit.failed(error);
  }

  #part(key: string, bytes: Uint8Array, doc: EditedDoc | undefined, kind: Part["kind"]): Part {
    const known = this.#parts.get(key);
    if (known !== undefined) return known;
    const before = kind === CREATE ? undefined : doc?.value;
    const part = { bytes, kind, doc, before, ops: [], texts: new Map<Op, string>() };
    this.#parts.set(key, part);
    return part;
  }
}

/** The commit of a transaction that is not over. */
class LaterCommit implements Commit {
  #commit: Commit | undefined;
  readonly #made: Promise<Commit>;
  #resolve: (commit: Commit) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor() {
    this.#made = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#made.catch(() => undefined);
  }

  is(commit: Commit): Commit {
    this.#commit = commit;
    this.#resolve(commit);
    return commit;
  }

  failed(cause: unknown): void {
    this.#reject(new EyotError("aborted", "the transaction was rolled back", { cause }));
  }

  get id(): string {
    if (this.#commit === undefined) throw invalid("the commit of a transaction has its id once transact() is over");
    return this.#commit.id;
  }

  get saved(): Promise<void> {
    const saved = this.#made.then((commit) => commit.saved);
    saved.catch(() => undefined);
    return saved;
  }

  readonly durable = async (options?: Wait & { regions?: number | undefined }): Promise<void> =>
    (await this.#made).durable(options);
}
