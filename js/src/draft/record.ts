/** Runs the application's edit on a draft of a document's value and collects what it did. */
import { Draft, draftOf, DraftCounter, Loan, Recorder, type Child } from "./draft.js";
import { checkFunction, checkName, isThenable, kindOf, optionsOf } from "../base/check.js";
import { invalid } from "../base/error.js";
import { ListDraft } from "./list.js";
import { MapDraft } from "./map.js";
import type { Op } from "../value/op.js";
import { wellFormed } from "../value/text.js";
import { pathOf, type MarkValue, type Path } from "../value/patch.js";
import { Counter, isMap, type ValueMap } from "../value/value.js";

/** The longest name of a mark, in bytes. */
const MARK_NAME_BYTES_MAX = 256;

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
    // Edits after the first `await` throw, which rejects this promise.
    if (isThenable(result)) throw invalid("change() takes a function that is done when it returns, not an async one");
    root.settle();
    return { value: root.finish() as T, ops: recorder.ops, before: recorder.before };
  } finally {
    recorder.open = false;
  }
}

/** Inside `change`: edits a collaborative text in place, in UTF-16 code units. */
export function splice(draft: object, path: Path, index: number, remove: number, insert = ""): void {
  if (typeof insert !== "string") throw invalid(`splice() inserts a string, not ${kindOf(insert)}`);
  const [owner, key] = placeOf("splice()", draft, path);
  owner.spliceText(key, index, remove, wellFormed(insert));
}

/** Whether text that is inserted at an end of a mark becomes part of it, and at which end. */
export type Expand = "before" | "after" | "both" | "none";

/** By the number that the core knows it by. */
const EXPANDS: readonly Expand[] = ["none", "before", "after", "both"];

/**
 * Inside `change`: marks the part of a text from `start` up to `end`, in UTF-16 code units. A mark has a name and a value;
 * null takes it away. Text that is inserted at the end of a mark becomes part of it unless `expand` says otherwise.
 */
export function mark(
  draft: object,
  path: Path,
  range: { start: number; end: number; expand?: Expand | undefined },
  name: string,
  value: MarkValue,
): void {
  checkName("the name of a mark", name, MARK_NAME_BYTES_MAX);
  if (value !== null && !["string", "number", "boolean"].includes(typeof value)) {
    throw invalid(`a mark is a string, a number, true, false or null, not ${kindOf(value)}`);
  }
  const {
    start,
    end,
    expand = "after",
  } = optionsOf<typeof range>("the range of a mark", range, ["start", "end", "expand"]);
  const number = EXPANDS.indexOf(expand);
  if (number < 0) throw invalid(`a mark expands to ${EXPANDS.join(", ")}`);
  const [owner, key] = placeOf("mark()", draft, path);
  owner.markText(key, start, end, number, name, typeof value === "string" ? wellFormed(value) : value);
}

/** Inside `change`: moves an item of a list from one index to another, which is counted without it. */
export function move(draft: object, path: Path, from: number, to: number): void {
  let list = draftOf(draft);
  for (const key of pathOf("move()", path)) list = list?.inside(key);
  if (!(list instanceof ListDraft)) throw invalid("move() moves an item of a list of a draft, inside change()");
  list.moveItem(from, to);
}

/** The container of what a path leads to, and its key there. */
function placeOf(where: string, draft: object, path: Path): [Draft, string | number] {
  let owner = draftOf(draft);
  if (owner === undefined) throw invalid(`${where} edits a draft, inside change()`);
  const keys = pathOf(where, path);
  const last = keys[keys.length - 1];
  if (last === undefined) throw invalid(`${where} needs the path of a text, from the draft that it is given`);
  for (const key of keys.slice(0, -1)) owner = owner.inside(key);
  return [owner, last];
}

/** The draft of a container or counter, or a copy of bytes or a date; undefined for what is only replaced whole. */
function adopt(owner: Draft, key: string | number, value: object): Child | undefined {
  if (value instanceof Counter) return new DraftCounter(owner, key, value.value);
  if (value instanceof Uint8Array) return new Loan(key, value.slice());
  if (value instanceof Date) return new Loan(key, new Date(value.getTime()));
  if (Array.isArray(value)) return new ListDraft(owner.recorder, owner, key, value);
  return isMap(value) ? new MapDraft(owner.recorder, owner, key, value) : undefined;
}
