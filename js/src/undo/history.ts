/** What can be undone and redone in one document: edits that would, as they are in the document's present state. */
import { INCREMENT, INSERT, MARK, SPLICE, type Op } from "../value/op.js";
import type { Patch } from "../value/patch.js";
import type { ValueMap } from "../value/value.js";
import { editsOf, effectsOf, inverseOf, joined } from "./edits.js";
import { rebase, touches, type Edit } from "./rebase.js";

/** How many steps a document keeps. */
const STEPS_MAX = 200;

/** What is undone at once, in all documents that it touched. */
export interface Step {
  /** Later steps have higher ones. */
  readonly order: number;
  /** When its last change was made, in milliseconds. */
  time: number;
  /** Whether the next change may become part of it. */
  isOpen: boolean;
}

/** The part of a step that is in one document. */
export interface Entry {
  readonly step: Step;
  /** They fit the document as it is once the entries above this one are undone, or redone. */
  edits: Edit[];
  /** How many changes they undo. */
  changes: number;
}

/** What was done before this history began, see `Document::steps` in the core. */
export interface KnownStep {
  readonly time: number;
  readonly changes: number;
  readonly inverse: readonly Patch[];
  readonly since: readonly Patch[];
}

/** A change of a document that was made here. */
export interface LocalChange {
  readonly before: ValueMap;
  readonly ops: readonly Op[];
  readonly texts: ReadonlyMap<Op, string>;
  /** What undoes it, by the core. */
  readonly inverse: () => readonly Patch[];
}

export class DocHistory {
  readonly done: Entry[] = [];
  readonly undone: Entry[] = [];

  /** `isRich`: texts have marks, which are no part of the value. */
  constructor(private isRich: boolean) {}

  /** Something was done before this history began. */
  begin(step: Step, { changes, inverse, since }: KnownStep): void {
    this.done.push({ step, edits: editsOf(inverse), changes });
    this.pass(since);
  }

  /** A change was made here, as part of that step. */
  made(stack: Entry[], step: Step, { before, ops, texts, inverse }: LocalChange): void {
    this.isRich ||= ops.some((op) => op[0] === MARK);
    const edits = this.isRich && ops.some(mayRemove) ? editsOf(inverse()) : inverseOf(before, ops, texts);
    const top = stack[stack.length - 1];
    if (top?.step === step) {
      top.edits = joined(edits, top.edits);
      top.changes += 1;
      return;
    }
    stack.push({ step, edits, changes: 1 });
    if (stack.length > STEPS_MAX) stack.shift();
  }

  /** Others have done this. */
  pass(patches: readonly Patch[]): void {
    this.isRich ||= patches.some((patch) => patch.action === "mark" || "marks" in patch);
    const effects = effectsOf(patches);
    const last = this.done[this.done.length - 1];
    if (last?.edits.some((edit) => effects.some((effect) => touches(edit, effect)))) last.step.isOpen = false;
    for (const stack of [this.done, this.undone]) {
      let rest = effects;
      for (let index = stack.length - 1; index >= 0 && rest.length > 0; index -= 1) {
        const entry = stack[index]!;
        [entry.edits, rest] = rebase(entry.edits, rest);
      }
    }
  }
}

/** The topmost entry that would do something. What would do nothing any more is dropped. */
export function topOf(stack: Entry[]): Entry | undefined {
  while (stack.length > 0 && stack[stack.length - 1]!.edits.length === 0) stack.pop();
  return stack[stack.length - 1];
}

/** Whether an operation may remove text that has marks, or marks themselves. */
function mayRemove(op: Op): boolean {
  return op[0] !== INSERT && op[0] !== INCREMENT && !(op[0] === SPLICE && op[3] === 0);
}
