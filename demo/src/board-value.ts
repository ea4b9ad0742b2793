/** What the board's document holds. */
import type { Item } from "./items.js";

export interface Card extends Item {
  /** Which of `COLUMNS`. */
  column: number;
}

export interface BoardValue {
  cards: Record<string, Card>;
}

export const BOARD = "board";
export const INITIAL_BOARD: BoardValue = { cards: {} };
export const COLUMNS = ["To do", "Doing", "Done"] as const;
