/** Edits in their simplest form: made of operations and of patches, put back, and made operations again. */
import { DELETE, INCREMENT, INSERT, MARK, MARKED, PUT, RETEXT, SPLICE, patchesOf, type Op } from "../value/op.js";
import { applyPatches } from "../value/apply.js";
import type { Marks, MarkValue, Patch, Path } from "../value/patch.js";
import { difference } from "../value/text.js";
import { isContainer, type ValueMap } from "../value/value.js";
import type { Edit } from "./rebase.js";

/** A mark that expands to what is typed at its end, see `mark`. */
const AFTER = 2;

/** What patches do, as far as it matters to what is edited beside them. */
export function effectsOf(patches: readonly Patch[]): Edit[] {
  return patches.flatMap((patch): Edit[] => {
    const { path } = patch;
    switch (patch.action) {
      case "put":
        return [{ kind: "set", path }];
      case "insert":
        return [{ kind: "insert", ...place(path), count: patch.values.length }];
      case "splice":
        return [{ kind: "insert", ...place(path), count: patch.value.length }];
      case "inc":
        return [{ kind: "add", path, by: patch.value }];
      case "mark":
        return patch.marks.map(({ name, value, start, end }) => markOf(path, start, end, name, value));
      case "del":
        if (typeof path[path.length - 1] === "string") return [{ kind: "set", path }];
        return [{ kind: "remove", ...place(path), count: patch.length ?? 1 }];
    }
  });
}

/** Edits that do what these patches do, marks of what is inserted included. */
export function editsOf(patches: readonly Patch[]): Edit[] {
  return patches.flatMap((patch): Edit[] => {
    const edits = effectsOf([patch]);
    const [edit] = edits;
    if (edit?.kind === "set" && patch.action === "put") edit.value = patch.value;
    if (edit?.kind === "insert" && patch.action === "insert") edit.items = patch.values;
    if (edit?.kind === "insert" && patch.action === "splice") {
      edit.items = patch.value;
      edit.marks = patch.marks ?? {};
    }
    return edits;
  });
}

/** Edits that undo these operations, which were made in this order to that value. Marks come from the core. */
export function inverseOf(value: ValueMap, ops: readonly Op[], texts: ReadonlyMap<Op, string>): Edit[] {
  const inverse: Edit[][] = [];
  for (const op of ops) {
    inverse.push(undoing(value, op));
    value = applyPatches(value, patchesOf([op], texts));
  }
  return inverse.reverse().flat();
}

function undoing(value: ValueMap, op: Op): Edit[] {
  const path = op[1];
  switch (op[0]) {
    case PUT:
      return [{ kind: "set", path, value: lookUp(value, path) }];
    case INSERT:
      return [{ kind: "remove", ...place(path), count: op[2].length }];
    case DELETE: {
      const { list, at } = place(path);
      const owner = lookUp(value, list);
      if (!Array.isArray(owner) && typeof owner !== "string")
        return [{ kind: "set", path, value: lookUp(value, path) }];
      return [{ kind: "insert", list, at, count: op[2], items: owner.slice(at, at + op[2]) }];
    }
    case SPLICE:
      return respliced(String(lookUp(value, path)), path, op[2], op[3], op[4]);
    case RETEXT: {
      const before = String(lookUp(value, path));
      const { start, remove, insert } = difference(before, op[2]);
      return respliced(before, path, start, remove, insert);
    }
    case INCREMENT:
      return [{ kind: "add", path, by: -op[2] }];
    case MARKED:
      return [{ kind: "remove", list: path, at: op[2], count: op[3].length }];
    case MARK:
      return [];
  }
}

function respliced(text: string, list: Path, at: number, remove: number, insert: string): Edit[] {
  const edits: Edit[] = [];
  if (insert !== "") edits.push({ kind: "remove", list, at, count: insert.length });
  if (remove > 0) edits.push({ kind: "insert", list, at, count: remove, items: text.slice(at, at + remove) });
  return edits;
}

/** The operations that make these edits. */
export function opsOf(edits: readonly Edit[]): Op[] {
  return edits.map((edit): Op => {
    switch (edit.kind) {
      case "insert": {
        const { list, at, items = "", marks } = edit;
        if (typeof items !== "string") return [INSERT, [...list, at], [...items]];
        return marks === undefined ? [SPLICE, [...list], at, 0, items] : [MARKED, [...list], at, items, marks];
      }
      case "remove":
        return [DELETE, [...edit.list, edit.at], edit.count];
      case "set":
        return edit.value === undefined ? [DELETE, [...edit.path], 1] : [PUT, [...edit.path], edit.value];
      case "add":
        return [INCREMENT, [...edit.path], edit.by];
      case "mark":
        return [MARK, [...edit.list], edit.at, edit.at + edit.count, AFTER, edit.name, edit.value];
    }
  });
}

/** Both in one row, where what was typed or removed in a row becomes one edit. `next` comes before `before`. */
export function joined(next: readonly Edit[], before: readonly Edit[]): Edit[] {
  const last = next[next.length - 1];
  const [first, ...rest] = before;
  const one = last && first && oneOf(last, first);
  return one ? [...next.slice(0, -1), one, ...rest] : [...next, ...before];
}

/** `a` and then `b`, if they are one edit. */
function oneOf(a: Edit, b: Edit): Edit | undefined {
  if (!("list" in a) || !("list" in b) || a.list.join("\0") !== b.list.join("\0")) return undefined;
  if (a.kind === "remove" && b.kind === "remove" && b.at <= a.at && a.at <= b.at + b.count) {
    return { ...b, count: a.count + b.count };
  }
  if (a.kind !== "insert" || b.kind !== "insert" || b.at < a.at || b.at > a.at + a.count) return undefined;
  if (typeof a.items !== "string" || typeof b.items !== "string" || !isSame(a.marks, b.marks)) return undefined;
  const items = a.items.slice(0, b.at - a.at) + b.items + a.items.slice(b.at - a.at);
  return { ...a, count: items.length, items };
}

function isSame(a: Marks | undefined, b: Marks | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function markOf(list: Path, start: number, end: number, name: string, value: MarkValue): Edit {
  return { kind: "mark", list, at: start, count: end - start, name, value };
}

function place(path: Path): { list: Path; at: number } {
  return { list: path.slice(0, -1), at: path[path.length - 1] as number };
}

function lookUp(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inside, key) =>
      isContainer(inside) && Object.hasOwn(inside, key) ? (inside as ValueMap)[key as string] : undefined,
    value,
  );
}
