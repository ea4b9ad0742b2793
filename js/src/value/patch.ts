/** How a change of a document's value is described to the application, and where in a document something is. */
import { invalid } from "../base/error.js";
import type { Json } from "./value.js";

/** Keys and list indices from the document's root down. */
export type Path = readonly (string | number)[];

/** What a mark says. Null takes it away. */
export type MarkValue = string | number | boolean | null;

/** Marks of a text by their names. */
export type Marks = Readonly<Record<string, MarkValue>>;

/** A mark of a part of a text. */
export interface Mark {
  readonly name: string;
  readonly value: MarkValue;
  readonly start: number;
  readonly end: number;
}

/** `mark`: `path` is that of the text. `splice`: `marks` are those of the text that is inserted. */
export type Patch =
  | { action: "put"; path: Path; value: Json; conflict?: boolean }
  | { action: "del"; path: Path; length?: number }
  | { action: "insert"; path: Path; values: Json[] }
  | { action: "splice"; path: Path; value: string; marks?: Marks }
  | { action: "inc"; path: Path; value: number }
  | { action: "mark"; path: Path; marks: Mark[] };

/** The path that `where` was given. */
export function pathOf(where: string, path: unknown): Path {
  const isKey = (key: unknown) =>
    typeof key === "string" || (typeof key === "number" && Number.isInteger(key) && key >= 0);
  if (!Array.isArray(path) || !path.every(isKey)) throw invalid(`${where} needs a path: a list of keys and indices`);
  return path as Path;
}
