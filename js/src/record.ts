/** Running an application's edit on a draft of a document's value. */
import { Draft, draftOf, DraftCounter, Recorder, type Child } from "./draft.js";
import { invalid } from "./error.js";
import { ListDraft } from "./list.js";
import { MapDraft } from "./map.js";
import type { Op } from "./op.js";
import { wellFormed } from "./text.js";
import type { Path } from "./types.js";
import { Counter, isMap, type ValueMap } from "./value.js";

/** What running an edit came to. */
export interface Recording<T> {
  value: T;
  ops: readonly Op[];
  /** The texts that assignments replaced, for whoever wants the difference. */
  before: ReadonlyMap<Op, string>;
}

/** Runs `fn` on a draft of `base`. Throws what `fn` throws, with nothing left behind. */
export function record<T extends object>(base: T, fn: (draft: T) => unknown): Recording<T> {
  const recorder = new Recorder(adopt);
  const root = new MapDraft(recorder, undefined, "", base as ValueMap);
  try {
    const result = fn(root.facade as T);
    if (isThenable(result)) {
      // Its later edits fail by themselves; that failure must not count as unhandled too.
      result.then(undefined, () => undefined);
      throw invalid("change() takes a function that is done when it returns, not an async one");
    }
    return { value: root.finish() as T, ops: recorder.ops, before: recorder.before };
  } finally {
    recorder.open = false;
  }
}

/** Inside `change`: edits a collaborative text in place, in UTF-16 code units. */
export function splice(draft: object, path: Path, index: number, remove: number, insert = ""): void {
  let owner = draftOf(draft);
  if (owner === undefined) throw invalid("splice() edits a draft, inside change()");
  const last = path[path.length - 1];
  if (last === undefined) throw invalid("splice() needs the path of a text");
  for (const key of path.slice(0, -1)) owner = owner.inside(key);
  owner.spliceText(last, index, remove, wellFormed(String(insert)));
}

/** The draft of one part of a document; undefined for what is only ever replaced whole. */
function adopt(owner: Draft, key: string | number, value: object): Child | undefined {
  if (value instanceof Counter) return new DraftCounter(owner, key, value.value);
  if (Array.isArray(value)) return new ListDraft(owner.recorder, owner, key, value);
  return isMap(value) ? new MapDraft(owner.recorder, owner, key, value) : undefined;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
