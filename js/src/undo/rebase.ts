/**
 * Moves edits that were meant for one state of a document to another: past what was done meanwhile. `rebase` takes two
 * rows of edits that begin at the same state and gives each as it is after the other.
 *
 * What others have done wins: a part that they have edited is not put back and not removed, and a key that they have set
 * keeps their value.
 */
import type { Marks, MarkValue, Path } from "../value/patch.js";

/** One edit in its simplest form: no edit both removes and inserts. */
export type Edit =
  /** Items of a list, or a text with these marks, come in before `at`. Others' are known by their number alone. */
  | { kind: "insert"; list: Path; at: number; count: number; items?: readonly unknown[] | string; marks?: Marks }
  | { kind: "remove"; list: Path; at: number; count: number }
  /** A key is set or removed, or an item of a list is replaced. */
  | { kind: "set"; path: Path; value?: unknown }
  | { kind: "add"; path: Path; by: number }
  | { kind: "mark"; list: Path; at: number; count: number; name: string; value: MarkValue };

/** `mine` as they are after `theirs`, and `theirs` as they are after `mine`. */
export function rebase(mine: readonly Edit[], theirs: readonly Edit[]): [Edit[], Edit[]] {
  const moved: Edit[] = [];
  let rest = [...theirs];
  for (const edit of mine) {
    const [here, there] = rebaseOne(edit, rest);
    for (const part of here) moved.push(part);
    rest = there;
  }
  return [moved, rest];
}

function rebaseOne(mine: Edit, theirs: readonly Edit[]): [Edit[], Edit[]] {
  let here = [mine];
  const there: Edit[] = [];
  for (const [index, edit] of theirs.entries()) {
    if (here.length !== 1) {
      const [moved, rest] = rebase(here, theirs.slice(index));
      return [moved, [...there, ...rest]];
    }
    const [after, past] = pass(here[0]!, edit);
    here = after;
    there.push(...past);
  }
  return [here, there];
}

/** Whether one edit is at or inside what the other is about, so that doing both is more than doing each. */
export function touches(a: Edit, b: Edit): boolean {
  if (isRange(a) && isRange(b)) {
    if (!isSame(a.list, b.list)) return reaches(a, b.list) || reaches(b, a.list);
    return startOf(a) < endOf(b) && startOf(b) < endOf(a);
  }
  return reaches(a, placeOf(b)) || reaches(b, placeOf(a));
}

/** One edit of each. */
function pass(mine: Edit, theirs: Edit): [Edit[], Edit[]] {
  const kept = keptBy(mine, theirs);
  if (kept !== undefined) return kept;
  return [follow(mine, theirs, true), follow(theirs, mine, false)];
}

/**
 * Where others have edited what is to be removed or replaced, that stays. For what comes after `mine`, it is then as if it
 * were put back.
 */
function keptBy(mine: Edit, theirs: Edit): [Edit[], Edit[]] | undefined {
  const place = isRange(theirs) && theirs.kind !== "mark" ? [...theirs.list, theirs.at] : placeOf(theirs);
  if (mine.kind === "set") {
    const isInside = place.length > mine.path.length || theirs.kind === "add";
    return isInside && isBelow(place, mine.path) ? [[], [{ kind: "set", path: mine.path }]] : undefined;
  }
  if (mine.kind !== "remove" || !isBelow(place, mine.list)) return undefined;
  const index = place[mine.list.length];
  const isInside = place.length > mine.list.length + 1 || theirs.kind === "set" || theirs.kind === "add";
  if (!isInside || typeof index !== "number" || index < mine.at || index >= mine.at + mine.count) return undefined;
  const right = { ...mine, at: index + 1, count: mine.at + mine.count - index - 1 };
  const left = { ...mine, count: index - mine.at };
  const back: Edit = { kind: "insert", list: mine.list, at: mine.at, count: 1 };
  return [[right, left].filter(({ count }) => count > 0), [back, moveTo(theirs, mine.list.length, mine.at)]];
}

/** `edit` as it is after `over`. Where both insert at one place, what is `first` stays before the other. */
function follow(edit: Edit, over: Edit, first: boolean): Edit[] {
  if (isRange(edit)) {
    const list = followPath(edit.list, over, true);
    if (list === undefined) return [];
    const moved = { ...edit, list };
    if (!isSame(edit.list, listOf(over))) return [moved];
    if (over.kind === "insert") return pushed(moved, over.at, over.count, first);
    return over.kind === "remove" ? cut(moved, over.at, over.count) : [moved];
  }
  const path = followPath(edit.path, over, edit.kind === "add");
  if (path === undefined || (first && over.kind === "set" && isSame(path, over.path))) return [];
  return [{ ...edit, path }];
}

type Range = Extract<Edit, { list: Path }>;

/** After an insertion in the same list. */
function pushed(edit: Range, at: number, count: number, first: boolean): Edit[] {
  if (edit.kind === "insert")
    return [at < edit.at || (at === edit.at && !first) ? { ...edit, at: edit.at + count } : edit];
  if (at <= edit.at) return [{ ...edit, at: edit.at + count }];
  const before = at - edit.at;
  if (before >= edit.count) return [edit];
  if (edit.kind === "mark") return [{ ...edit, count: edit.count + count }];
  // From the end, so that the first does not move the second.
  return [
    { ...edit, at: at + count, count: edit.count - before },
    { ...edit, count: before },
  ];
}

/** After items were removed from the same list. */
function cut(edit: Range, at: number, count: number): Edit[] {
  const end = at + count;
  const start = edit.at >= end ? edit.at - count : Math.min(edit.at, at);
  if (edit.kind === "insert") return [{ ...edit, at: start }];
  const both = Math.min(end, edit.at + edit.count) - Math.max(at, edit.at);
  const left = edit.count - Math.max(both, 0);
  return left > 0 ? [{ ...edit, at: start, count: left }] : [];
}

/** A path after an edit; undefined where it leads nowhere any more. `whole`: what is set there is another thing. */
function followPath(path: Path, over: Edit, whole: boolean): Path | undefined {
  if (over.kind === "set") {
    const isGone = isBelow(path, over.path) && (whole || path.length > over.path.length);
    return isGone ? undefined : path;
  }
  if (over.kind === "add" || over.kind === "mark" || !isBelow(path, over.list)) return path;
  const index = path[over.list.length];
  if (typeof index !== "number" || index < over.at) return path;
  if (over.kind === "insert") return at(path, over.list.length, index + over.count);
  return index < over.at + over.count ? undefined : at(path, over.list.length, index - over.count);
}

function moveTo(edit: Edit, depth: number, index: number): Edit {
  if (isRange(edit)) return edit.list.length > depth ? { ...edit, list: at(edit.list, depth, index) } : edit;
  return { ...edit, path: at(edit.path, depth, index) };
}

function at(path: Path, depth: number, index: number): Path {
  return [...path.slice(0, depth), index, ...path.slice(depth + 1)];
}

function isRange(edit: Edit): edit is Range {
  return "list" in edit;
}

function listOf(edit: Edit): Path | undefined {
  return isRange(edit) ? edit.list : undefined;
}

function placeOf(edit: Edit): Path {
  return isRange(edit) ? edit.list : edit.path;
}

function startOf(edit: Range): number {
  return edit.kind === "insert" ? edit.at - 0.5 : edit.at;
}

function endOf(edit: Range): number {
  return edit.kind === "insert" ? edit.at + 0.5 : edit.at + edit.count;
}

/** Whether a place is at or inside what an edit is about. */
function reaches(edit: Edit, place: Path): boolean {
  if (!isRange(edit)) return isBelow(place, edit.path);
  if (edit.kind === "insert" || !isBelow(place, edit.list)) return false;
  const index = place[edit.list.length];
  return typeof index === "number" && index >= edit.at && index < edit.at + edit.count;
}

function isSame(a: Path, b: Path | undefined): boolean {
  return b !== undefined && a.length === b.length && isBelow(a, b);
}

/** Whether a path is the other, or leads further from it. */
function isBelow(path: Path, other: Path): boolean {
  return path.length >= other.length && other.every((key, index) => key === path[index]);
}
