/** What all replicas of the map have: one text. */
export interface Note {
  text: string;
}

export const NOTE = "note on the map";
export const TEXT = ["text"] as const;
