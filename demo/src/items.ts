/**
 * Lists of the application: maps of items by id, each with its place in the order. Moving an item sets its place alone, so two
 * people who move the same item at once get one item, at one of the two places.
 */
import { randomId } from "./id.js";

export interface Item {
  title: string;
  order: number;
}

export type Items<I extends Item> = Readonly<Record<string, Readonly<I>>>;

export const TITLE_CHARACTERS_MAX = 200;

export function inOrder<I extends Item>(items: Items<I>): [string, Readonly<I>][] {
  return Object.entries(items).sort(([a, x], [b, y]) => x.order - y.order || (a < b ? -1 : 1));
}

/** An id for a new item, and its place at the end. */
export function atEnd(items: Items<Item>): { id: string; order: number } {
  return { id: randomId(), order: (inOrder(items).at(-1)?.[1].order ?? 0) + 1 };
}

/** A place between the item's next two neighbours in that direction. */
export function placeBeyond(items: Items<Item>, id: string, by: 1 | -1): number | undefined {
  const all = inOrder(items);
  const index = all.findIndex(([held]) => held === id);
  const near = all[index + by]?.[1].order;
  if (near === undefined) return undefined;
  const far = all[index + 2 * by]?.[1].order ?? near + 2 * by;
  return (near + far) / 2;
}
