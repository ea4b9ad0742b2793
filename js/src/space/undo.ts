/**
 * Undo and redo of what this replica has done, in one document or in all. A history begins with the first call: what was
 * done until then, in earlier sessions too, is read from the core, and what comes after that is followed.
 */
import { checkFunction } from "../base/check.js";
import { clock } from "../base/clock.js";
import { invalid } from "../base/error.js";
import { applyPatches } from "../value/apply.js";
import { decodeAny, decodePatches } from "../value/codec.js";
import { patchesOf, type Op } from "../value/op.js";
import type { Patch } from "../value/patch.js";
import type { ValueMap } from "../value/value.js";
import type { Outbox } from "./outbox.js";
import type { EditedDoc, HereChange, Undoing } from "./context.js";
import type { Commit, UndoState, Unsubscribe } from "./types.js";
import { opsOf } from "../undo/edits.js";
import { DocHistory, topOf, type Entry, type KnownStep, type Step } from "../undo/history.js";

/** Changes this close to one another are one step. */
const STEP_MS = 500;
/** How many steps of earlier are read. */
const KNOWN_MAX = 50;

/** A change that undoes or redoes something in a document. */
export interface Redoing {
  readonly doc: EditedDoc;
  readonly value: ValueMap;
  readonly ops: readonly Op[];
  readonly message: string;
}

type Way = "done" | "undone";

/** What undo needs of a space. */
export interface UndoHost {
  readonly outbox: Outbox;
  readonly isUsable: boolean;
  readonly transaction: object | undefined;
  /** Documents that are open. */
  openDocs(): Iterable<EditedDoc>;
  /** Makes one commit of some changes. */
  commitRedo(changes: readonly Redoing[]): Commit;
}

export class Undo implements Undoing {
  readonly #histories = new Map<EditedDoc, DocHistory>();
  /** Steps of before, by their time. */
  readonly #known = new Map<number, Step>();
  /** The step that changes are part of at present. */
  #step: Step | undefined;
  #own: { readonly transaction: object; readonly step: Step } | undefined;
  #order = 0;
  readonly #listeners = new Set<{ listener: (state: UndoState) => void }>();
  /** What they were told last. */
  #told: UndoState | undefined;
  #isScheduled = false;
  /** Where the change that is made at present belongs, as it undoes or redoes something. */
  #target: { way: Way; step: Step } | undefined;
  #state: UndoState = Object.freeze({ canUndo: false, canRedo: false });

  constructor(readonly host: UndoHost) {}

  /** What can be done; the same object until it is another. */
  get state(): UndoState {
    if (!this.host.isUsable || this.host.transaction !== undefined) return this.#state;
    const can = (way: Way): boolean => {
      for (const [, history] of this.#all()) if (topOf(history[way]) !== undefined) return true;
      return false;
    };
    const [canUndo, canRedo] = [can("done"), can("undone")];
    const isSame = this.#state.canUndo === canUndo && this.#state.canRedo === canRedo;
    return isSame ? this.#state : (this.#state = Object.freeze({ canUndo, canRedo }));
  }

  subscribe(listener: (state: UndoState) => void): Unsubscribe {
    checkFunction("a listener of what can be undone", listener);
    if (this.#listeners.size === 0) this.#told = this.state;
    const entry = { listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Documents were opened, closed or changed: what can be undone may be different. */
  changed(): void {
    if (this.#listeners.size === 0 || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.host.isUsable || this.#told === this.state) return;
      const state = (this.#told = this.state);
      for (const entry of this.#listeners) {
        this.host.outbox.post(() => (this.#listeners.has(entry) ? entry.listener(state) : undefined));
      }
      this.host.outbox.flush();
    });
  }

  /** A change was made here. Those of one `transaction` are a step of their own. */
  made(doc: EditedDoc, change: HereChange, transaction?: object): void {
    this.changed();
    const target = this.#target;
    const history = this.#histories.get(doc);
    if (history === undefined) return;
    const local = { ...change, inverse: () => decodePatches(doc.inverse()) };
    if (target !== undefined) return history.made(history[target.way], target.step, local);
    history.undone.length = 0;
    history.made(history.done, transaction === undefined ? this.#current() : this.#stepOf(transaction), local);
  }

  /** Others have changed a document. */
  passed(doc: EditedDoc, patches: readonly Patch[]): void {
    this.#histories.get(doc)?.pass(patches);
    this.changed();
  }

  /** A document is closed, deleted, or built anew: what can be undone there is read again. */
  forget(doc: EditedDoc): void {
    this.#histories.delete(doc);
    this.changed();
  }

  /** Undoes the last step, in one document or in all. */
  undo(doc?: EditedDoc): Commit | undefined {
    return this.#take("done", doc, (a, b) => a.order > b.order);
  }

  redo(doc?: EditedDoc): Commit | undefined {
    return this.#take("undone", doc, (a, b) => a.order < b.order);
  }

  #take(way: Way, only: EditedDoc | undefined, isBefore: (a: Step, b: Step) => boolean): Commit | undefined {
    if (this.host.transaction !== undefined) throw invalid("undo() and redo() are no part of a transaction");
    const histories = only === undefined ? [...this.#all()] : [[only, this.#history(only)] as const];
    for (;;) {
      const tops = histories.flatMap(([doc, history]) => {
        const entry = topOf(history[way]);
        return entry === undefined ? [] : [{ doc, history, entry }];
      });
      const [first, ...rest] = tops;
      if (first === undefined) return undefined;
      const step = rest.reduce((step, { entry }) => (isBefore(entry.step, step) ? entry.step : step), first.entry.step);
      const taken = tops.filter(({ entry }) => entry.step === step);
      const changes = taken.flatMap(({ doc, entry }) => redoing(doc, entry, way) ?? []);
      // What comes with the commit of others finds the histories as they are after it.
      for (const { history } of taken) history[way].pop();
      if (changes.length === 0) continue;
      step.isOpen = false;
      // What is redone is the last step from then on.
      this.#target = way === "done" ? { way: "undone", step } : { way: "done", step: this.#closedStep() };
      try {
        return this.host.commitRedo(changes);
      } catch (error) {
        for (const { history, entry } of taken) history[way].push(entry);
        throw error;
      } finally {
        this.#target = undefined;
      }
    }
  }

  #newStep(): Step {
    const now = clock.now();
    this.#order = Math.max(this.#order + 1, now);
    return { order: this.#order, time: now, isOpen: true };
  }

  #stepOf(transaction: object): Step {
    if (this.#own?.transaction !== transaction) this.#own = { transaction, step: this.#closedStep() };
    return this.#own.step;
  }

  /** A step of its own, which the next change is no part of. */
  #closedStep(): Step {
    return (this.#step = { ...this.#newStep(), isOpen: false });
  }

  #current(): Step {
    const now = clock.now();
    const step = this.#step;
    if (step?.isOpen !== true || now - step.time >= STEP_MS) return (this.#step = this.#newStep());
    step.time = now;
    return step;
  }

  *#all(): Iterable<readonly [EditedDoc, DocHistory]> {
    for (const doc of this.host.openDocs()) if (!doc.deleted) yield [doc, this.#history(doc)];
  }

  #history(doc: EditedDoc): DocHistory {
    const known = this.#histories.get(doc);
    if (known !== undefined) return known;
    const [isRich, steps] = decodeAny(doc.steps(KNOWN_MAX)) as [boolean, readonly KnownStep[]];
    const history = new DocHistory(isRich);
    for (const step of steps) history.begin(this.#knownStep(step.time), step);
    this.#histories.set(doc, history);
    return history;
  }

  #knownStep(time: number): Step {
    const step = this.#known.get(time) ?? { order: time, time, isOpen: false };
    this.#known.set(time, step);
    return step;
  }
}

/** The change that an entry makes; undefined where it does not fit. */
function redoing(doc: EditedDoc, { edits, changes }: Entry, way: Way): Redoing | undefined {
  const ops = opsOf(edits);
  try {
    const value = applyPatches(doc.value, patchesOf(ops, new Map()));
    // The core reads this when a history begins: what was undone is left out.
    return { doc, value, ops, message: way === "done" ? `undo ${changes}` : "redo" };
  } catch {
    return undefined;
  }
}
