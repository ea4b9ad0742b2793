/** How a change of a document's value is described to the application. */
import type { Json } from "./value.js";

/** Keys and list indices from the document's root down. */
export type Path = readonly (string | number)[];

export type Patch =
  | { action: "put"; path: Path; value: Json; conflict?: boolean }
  | { action: "del"; path: Path; length?: number }
  | { action: "insert"; path: Path; values: Json[] }
  | { action: "splice"; path: Path; value: string }
  | { action: "inc"; path: Path; value: number }
  | { action: "mark" | "unmark"; path: Path; marks: unknown[] };
