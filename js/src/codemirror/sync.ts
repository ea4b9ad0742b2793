/**
 * Keeps the text of an editor and a text of a document the same. Either may be ahead of the other: the document while
 * somebody composes a character in the editor, the editor while the document is busy. What each has done since they were
 * the same is kept as a `ChangeSet`, and is moved past the other's when it is passed on.
 */
import { Annotation, ChangeSet, Transaction, type EditorState, type TransactionSpec } from "@codemirror/state";
import { EyotError } from "../base/error.js";
import { splice } from "../draft/record.js";
import { editsOf, followPath, textAt } from "../editor/text-path.js";
import type { ChangeEvent, Doc, Unsubscribe } from "../space/types.js";
import type { Path } from "../value/patch.js";
import { applyEdit, difference, type TextEdit } from "../value/text.js";

/** As in a document, where a carriage return is a character like others. */
export const LINE_SEPARATOR = "\n";

/** What a transaction comes from that brings the document's changes into an editor. */
const fromDocument = Annotation.define<TextSync>();

/** What this needs of an `EditorView`. */
export interface Editor {
  readonly state: EditorState;
  dispatch(spec: TransactionSpec): void;
}

export interface SyncOptions {
  /** Whether these changes must wait: they would disturb what is under way in the editor. `settle` is called after that. */
  mustWait(changes: ChangeSet): boolean;
  /** Whether there is a text that can be edited has changed. */
  editable(editable: boolean): void;
  /** An edit was refused, and taken back. */
  refused(error: unknown): void;
}

export class TextSync {
  /** The document's value as it is known here. */
  #value: unknown;
  /** Where the text is; undefined: it is gone for good. */
  #path: Path | undefined;
  /** The document's text, as it is known here. */
  #text: string;
  /** What the editor has done since both were the same, and what the document has. */
  #mine: ChangeSet;
  #theirs: ChangeSet;
  #isEditable = true;
  #isSending = false;
  #isScheduled = false;
  /** Events that came while an edit was passed to the document. */
  readonly #heard: (readonly [unknown, ChangeEvent])[] = [];
  /** An undo or redo that is under way, and where the caret goes after it. */
  #step: { readonly userEvent: string; caret?: number } | undefined;
  /** Some of what is to be shown comes from another replica. */
  #isRemote = false;
  readonly #stop: Unsubscribe | undefined;
  #isOver = false;
  /** The editor is within an update, and takes no other. */
  isUpdating = false;

  constructor(
    readonly editor: Editor,
    readonly doc: Doc<any>,
    path: Path,
    readonly options: SyncOptions,
  ) {
    this.#value = doc.value;
    this.#path = path;
    this.#text = textAt(doc.value, path) ?? "";
    const shown = editor.state.doc.toString();
    this.#mine = ChangeSet.empty(shown.length);
    this.#theirs = shown === this.#text ? this.#mine : changeOf(shown.length, difference(shown, this.#text));
    try {
      this.#stop = doc.subscribe((value, event) => this.#hear(value, event));
    } catch (error) {
      // A handle that is closed shows its last value.
      if (!(error instanceof EyotError)) throw error;
      this.#path = undefined;
    }
    this.schedule();
  }

  get path(): Path | undefined {
    return this.#path;
  }

  stop(): void {
    this.#isOver = true;
    this.#stop?.();
  }

  /** Whether a transaction brings the document's changes into this editor. */
  isFromHere(transaction: Transaction): boolean {
    return transaction.annotation(fromDocument) === this;
  }

  /** Transactions were applied to the editor. */
  applied(transactions: readonly Transaction[]): void {
    for (const transaction of transactions) {
      if (!transaction.docChanged) continue;
      if (this.isFromHere(transaction)) {
        this.#theirs = ChangeSet.empty(transaction.newDoc.length);
        this.#mine = this.#theirs;
      } else {
        this.#mine = this.#mine.compose(transaction.changes);
      }
    }
    if (!this.#mine.empty && !this.#send(false)) this.schedule();
  }

  /** Passes on what waits, once nothing else is being done. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.settle();
    });
  }

  /** Passes on what waits, in both directions. */
  settle(): void {
    if (this.#isOver || this.isUpdating || this.#isSending) return;
    // All events have been told by now. What no event has told of was rolled back.
    if (this.doc.value !== this.#value) this.#know(this.doc.value, []);
    if (!this.#mine.empty) this.#send(true);
    this.#show();
    this.#tellEditable();
  }

  /** Runs an undo or redo, after which the caret is where something was done. */
  step(userEvent: string, run: () => void): void {
    this.settle();
    this.#step = { userEvent };
    try {
      run();
      this.settle();
    } finally {
      this.#step = undefined;
    }
  }

  /** A position of the editor in the document's text, and the other way. `assoc` as in `ChangeDesc.mapPos`. */
  toDocument(position: number, assoc = 1): number {
    return this.#theirs.mapPos(this.#mine.invertedDesc.mapPos(position, assoc), assoc);
  }

  toEditor(position: number, assoc = 1): number {
    const inDocument = Math.min(position, this.#theirs.newLength);
    return this.#mine.mapPos(this.#theirs.invertedDesc.mapPos(inDocument, assoc), assoc);
  }

  #hear(value: unknown, event: ChangeEvent): void {
    if (this.#isSending) {
      this.#heard.push([value, event]);
      return;
    }
    // What this editor has done is known.
    if (value !== this.#value) this.#know(value, event.patches, event.origin === "remote");
    try {
      this.#show();
      this.#tellEditable();
    } catch {
      // The editor is within an update that has begun elsewhere.
      this.schedule();
    }
    if (this.isUpdating) this.schedule();
  }

  /** The document's value is this now, and that is how it became so. */
  #know(value: unknown, patches: ChangeEvent["patches"], isRemote = true): void {
    this.#value = value;
    this.#path &&= followPath(this.#path, patches);
    const text = textAt(value, this.#path) ?? "";
    const edits = editsOf(patches, this.#path ?? [], this.#text, text);
    let length = this.#text.length;
    for (const edit of edits) {
      this.#theirs = this.#theirs.compose(changeOf(length, edit));
      length += edit.insert.length - edit.remove;
    }
    const last = edits[edits.length - 1];
    if (last !== undefined && this.#step !== undefined && !isRemote) this.#step.caret = last.start + last.insert.length;
    this.#isRemote ||= isRemote && last !== undefined;
    this.#text = text;
  }

  /** Passes on what the editor has done. False: the document cannot be edited at present. `isLast`: it is taken back then. */
  #send(isLast: boolean): boolean {
    const { doc } = this;
    if (!isLast && (this.#isSending || doc.value !== this.#value)) return false;
    const path = this.#path;
    const changes = this.#mine.map(this.#theirs, true);
    const edits = editsIn(changes);
    this.#isSending = true;
    try {
      if (path === undefined || textAt(doc.value, path) === undefined) {
        throw new EyotError("not-found", "the text is gone");
      }
      doc.change((draft) => {
        for (const { start, remove, insert } of edits) splice(draft as object, path, start, remove, insert);
      });
    } catch (error) {
      this.#isSending = false;
      this.#catchUp();
      if (isLast) this.#takeBack(error);
      return false;
    }
    this.#isSending = false;
    this.#theirs = this.#theirs.map(this.#mine);
    this.#mine = ChangeSet.empty(this.#theirs.length);
    this.#text = edits.reduce(applyEdit, this.#text);
    // Among them what the document has made of the edit. It keeps surrogate pairs together, so that may be something else.
    this.#catchUp();
    if (!this.#theirs.empty) this.schedule();
    return true;
  }

  #catchUp(): void {
    for (const [value, event] of this.#heard.splice(0)) this.#know(value, event.patches, event.origin === "remote");
  }

  /** What the editor has done is refused: it shows the document's text again. */
  #takeBack(error: unknown): void {
    const shown = this.editor.state.doc.toString();
    this.#mine = ChangeSet.empty(shown.length);
    this.#theirs = changeOf(shown.length, difference(shown, this.#text));
    if (!(error instanceof EyotError)) throw error;
    if (error.code === "closed") this.#path = undefined;
    else if (error.code !== "not-found") this.options.refused(error);
  }

  #show(): void {
    // Not empty: `settle` is to come.
    if (this.#theirs.empty || !this.#mine.empty || this.isUpdating) return;
    if (this.options.mustWait(this.#theirs)) return;
    const step = this.#step;
    const caret = step?.caret;
    const isRemote = this.#isRemote;
    this.#isRemote = false;
    this.editor.dispatch({
      changes: this.#theirs,
      ...(caret === undefined ? {} : { selection: { anchor: caret }, scrollIntoView: true }),
      annotations: [
        fromDocument.of(this),
        Transaction.addToHistory.of(false),
        Transaction.remote.of(isRemote),
        ...(step === undefined ? [] : [Transaction.userEvent.of(step.userEvent)]),
      ],
      // What is in the document is so: no filter can keep it out.
      filter: false,
    });
  }

  #tellEditable(): void {
    const isEditable = !this.doc.deleted && textAt(this.#value, this.#path) !== undefined;
    if (isEditable === this.#isEditable) return;
    this.options.editable(isEditable);
    this.#isEditable = isEditable;
  }
}

/** The changes as edits, each of the text as it is after those before it. */
function editsIn(changes: ChangeSet): TextEdit[] {
  const edits: TextEdit[] = [];
  changes.iterChanges((fromA, toA, fromB, _, inserted) => {
    edits.push({ start: fromB, remove: toA - fromA, insert: inserted.sliceString(0, undefined, LINE_SEPARATOR) });
  });
  return edits;
}

function changeOf(length: number, { start, remove, insert }: TextEdit): ChangeSet {
  return ChangeSet.of({ from: start, to: start + remove, insert }, length, LINE_SEPARATOR);
}
