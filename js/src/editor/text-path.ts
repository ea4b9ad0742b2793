/** Where a text of a document is, followed through the document's changes, and what they do to it. */
import type { Patch, Path } from "../value/patch.js";
import { difference, type TextEdit } from "../value/text.js";
import { isContainer, type ValueMap } from "../value/value.js";

/** Above this many patches in one event one edit is made of them all. */
const EDITS_MAX = 500;

/** The text at a path; undefined where there is none. */
export function textAt(value: unknown, path: Path | undefined): string | undefined {
  const found = path?.reduce<unknown>(
    (inside, key) =>
      isContainer(inside) && Object.hasOwn(inside, key) ? (inside as ValueMap)[key as string] : undefined,
    value,
  );
  return typeof found === "string" ? found : undefined;
}

/**
 * The path after these patches: items of lists that it leads through may have moved. Undefined where the item that it leads
 * through is gone. A key that is removed may come back, and is followed as it is.
 */
export function followPath(path: Path, patches: readonly Patch[]): Path | undefined {
  let now: Path | undefined = path;
  for (const patch of patches) now = now && followOne(now, patch);
  return now;
}

function followOne(path: Path, patch: Patch): Path | undefined {
  if (patch.action !== "insert" && patch.action !== "del") return path;
  const depth = patch.path.length - 1;
  const index = path[depth];
  const at = patch.path[depth];
  if (typeof index !== "number" || typeof at !== "number" || at > index) return path;
  if (!patch.path.slice(0, depth).every((key, level) => key === path[level])) return path;
  const moved = (by: number): Path => [...path.slice(0, depth), index + by, ...path.slice(depth + 1)];
  if (patch.action === "insert") return moved(patch.values.length);
  const count = patch.length ?? 1;
  return index < at + count ? undefined : moved(-count);
}

/** The edits, one after the other, that patches make to the text at a path and that turn `before` into `after`. */
export function editsOf(patches: readonly Patch[], path: Path, before: string, after: string): readonly TextEdit[] {
  if (before === after) return [];
  const edits = patches.flatMap((patch) => editOf(patch, path) ?? []);
  if (edits.length <= EDITS_MAX && fits(edits, before, after)) return edits;
  return [difference(before, after)];
}

function editOf(patch: Patch, path: Path): TextEdit | undefined {
  const start = patch.path[path.length];
  const isInside = patch.path.length === path.length + 1 && path.every((key, level) => key === patch.path[level]);
  if (!isInside || typeof start !== "number") return undefined;
  if (patch.action === "splice") return { start, remove: 0, insert: patch.value };
  return patch.action === "del" ? { start, remove: patch.length ?? 1, insert: "" } : undefined;
}

function fits(edits: readonly TextEdit[], before: string, after: string): boolean {
  let text = before;
  for (const { start, remove, insert } of edits) {
    if (start + remove > text.length) return false;
    text = text.slice(0, start) + insert + text.slice(start + remove);
  }
  return text === after;
}
