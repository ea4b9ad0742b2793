/** Runs the application's edit on a draft of a document's value and collects what it did. */
import { Draft, draftOf, DraftCounter, Loan, Recorder, type Child } from "./draft.js";
import { checkFunction, kindOf } from "../base/check.js";
import { invalid } from "../base/error.js";
import { ListDraft } from "./list.js";
import { MapDraft } from "./map.js";
import type { Op } from "../value/op.js";
import { wellFormed } from "../value/text.js";
import type { Path } from "../value/patch.js";
import { Counter, isMap, type ValueMap } from "../value/value.js";

/** The result of an edit. */
export interface Recording<T> {
  value: T;
  ops: readonly Op[];
  /** The text that each `RETEXT` replaced, to compute patches from. */
  before: ReadonlyMap<Op, string>;
}

/** Runs `fn` on a draft of `base`. If `fn` throws, this throws the same, and nothing has changed. */
export function record<T extends object>(base: T, fn: (draft: T) => unknown): Recording<T> {
  checkFunction("what change() takes", fn);
  const recorder = new Recorder(adopt);
  const root = new MapDraft(recorder, undefined, "", base as ValueMap);
  try {
    const result = fn(root.facade as T);
    if (isThenable(result)) {
      // Edits after the first `await` throw, which rejects this promise. It must not count as unhandled.
      result.then(undefined, () => undefined);
      throw invalid("change() takes a function that is done when it returns, not an async one");
    }
    root.settle();
    return { value: root.finish() as T, ops: recorder.ops, before: recorder.before };
  } finally {
    recorder.open = false;
  }
}

/** Inside `change`: edits a collaborative text in place, in UTF-16 code units. */
export function splice(draft: object, path: Path, index: number, remove: number, insert = ""): void {
  let owner = draftOf(draft);
  if (owner === undefined) throw invalid("splice() edits a draft, inside change()");
  if (!Array.isArray(path) || !path.every((key) => typeof key === "string" || typeof key === "number")) {
    throw invalid("splice() needs the path of a text: a list of keys and indices");
  }
  if (typeof insert !== "string") throw invalid(`splice() inserts a string, not ${kindOf(insert)}`);
  const keys = path as Path;
  const last = keys[keys.length - 1];
  if (last === undefined) throw invalid("splice() needs the path of a text, from the draft that it is given");
  for (const key of keys.slice(0, -1)) owner = owner.inside(key);
  owner.spliceText(last, index, remove, wellFormed(insert));
}

/** The draft of a container or counter, or a copy of bytes or a date; undefined for what is only replaced whole. */
function adopt(owner: Draft, key: string | number, value: object): Child | undefined {
  if (value instanceof Counter) return new DraftCounter(owner, key, value.value);
  if (value instanceof Uint8Array) return new Loan(key, value.slice());
  if (value instanceof Date) return new Loan(key, new Date(value.getTime()));
  if (Array.isArray(value)) return new ListDraft(owner.recorder, owner, key, value);
  return isMap(value) ? new MapDraft(owner.recorder, owner, key, value) : undefined;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
