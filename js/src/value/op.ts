/**
 * The edits of one change, as they are sent to the core: an array, applied in order. The path of an edit refers to the
 * document as it is after the edits before it.
 */
import type { Marks, MarkValue, Patch } from "./patch.js";
import { difference } from "./text.js";
import { isMap, type Json } from "./value.js";

// The first item of an edit.
export const PUT = 0;
export const INSERT = 1;
export const DELETE = 2;
export const SPLICE = 3;
export const INCREMENT = 4;
/** Replaces a text as a whole; the core works out which characters changed. */
export const RETEXT = 5;
/** Marks a part of a text. Null takes a mark away. */
export const MARK = 6;
/** Inserts a text that has these marks and no others. */
export const MARKED = 7;

export type OpPath = (string | number)[];

export type Op =
  | [typeof PUT, OpPath, unknown]
  | [typeof INSERT, OpPath, unknown[]]
  | [typeof DELETE, OpPath, number]
  | [typeof SPLICE, OpPath, number, number, string]
  | [typeof INCREMENT, OpPath, number]
  | [typeof RETEXT, OpPath, string]
  | [typeof MARK, OpPath, number, number, number, string, MarkValue]
  | [typeof MARKED, OpPath, number, string, Marks];

/** The same change as patches for subscribers. `before` holds the text that each `RETEXT` replaced. */
export function patchesOf(ops: readonly Op[], before: ReadonlyMap<Op, string>): Patch[] {
  const patches: Patch[] = [];
  for (const op of ops) {
    switch (op[0]) {
      case PUT:
        putPatches(op[1], op[2], patches);
        break;
      case INSERT:
        insertPatches(op[1], op[2], patches);
        break;
      case DELETE:
        patches.push(deletion(op[1], op[2]));
        break;
      case SPLICE:
        splicePatches(op[1], { start: op[2], remove: op[3], insert: op[4] }, patches);
        break;
      case INCREMENT:
        patches.push({ action: "inc", path: op[1], value: op[2] });
        break;
      case RETEXT:
        splicePatches(op[1], difference(before.get(op) ?? "", op[2]), patches);
        break;
      case MARKED:
        patches.push({ action: "splice", path: [...op[1], op[2]], value: op[3], marks: op[4] });
        break;
      case MARK: {
        const [, path, start, end, , name, value] = op;
        patches.push({ action: "mark", path, marks: [{ name, value, start, end }] });
        break;
      }
    }
  }
  return patches;
}

/** The core describes a new container as an empty one, followed by patches inside it. This does the same. */
function putPatches(path: OpPath, value: unknown, patches: Patch[]): void {
  patches.push({ action: "put", path, value: emptied(value) as Json });
  fillPatches(path, value, patches);
}

function insertPatches(path: OpPath, values: unknown[], patches: Patch[]): void {
  patches.push({ action: "insert", path, values: values.map(emptied) as Json[] });
  const first = path[path.length - 1] as number;
  values.forEach((value, offset) => fillPatches([...path.slice(0, -1), first + offset], value, patches));
}

function fillPatches(path: OpPath, value: unknown, patches: Patch[]): void {
  if (typeof value === "string") {
    if (value !== "") patches.push({ action: "splice", path: [...path, 0], value });
  } else if (Array.isArray(value)) {
    if (value.length > 0) insertPatches([...path, 0], value, patches);
  } else if (isMap(value)) {
    for (const key of Object.keys(value)) putPatches([...path, key], value[key], patches);
  }
}

function splicePatches(path: OpPath, edit: { start: number; remove: number; insert: string }, patches: Patch[]): void {
  const place = [...path, edit.start];
  if (edit.remove > 0) patches.push(deletion(place, edit.remove));
  if (edit.insert !== "") patches.push({ action: "splice", path: place, value: edit.insert });
}

function deletion(path: OpPath, count: number): Patch {
  return count === 1 ? { action: "del", path } : { action: "del", path, length: count };
}

function emptied(value: unknown): unknown {
  if (typeof value === "string") return "";
  if (Array.isArray(value)) return [];
  return isMap(value) ? {} : value;
}
