/** The three places on the map: where each is, and how far it is to the others. */
import { HEIGHT, WIDTH } from "./land.js";

/** The name of a place's region, which is also the name of its relay. */
export type RegionName = "us" | "eu" | "ap";

export interface Place {
  region: RegionName;
  name: string;
  /** As `#rrggbb`: carets in editors and what belongs to the place are drawn in it. */
  color: string;
  /** On the map, in its units. */
  x: number;
  y: number;
}

/** From west to east, as on the map. */
export const PLACES: readonly Place[] = [
  place("us", "Virginia", "#0e7490", -77.5, 38.9),
  place("eu", "Frankfurt", "#7c3aed", 8.7, 50.1),
  place("ap", "Singapore", "#c2410c", 103.8, 1.35),
];

/** How long what one sends takes to another, in milliseconds: `cargo xtask demo` makes everything wait so long. */
export const WAYS: readonly { from: Place; to: Place; ms: number }[] = [
  { from: placeOf("us"), to: placeOf("eu"), ms: 45 },
  { from: placeOf("eu"), to: placeOf("ap"), ms: 80 },
  { from: placeOf("us"), to: placeOf("ap"), ms: 110 },
];

export function placeOf(region: RegionName): Place {
  return PLACES.find((each) => each.region === region)!;
}

export function nameOf(region: string): string {
  return PLACES.find((each) => each.region === region)?.name ?? region;
}

function place(region: RegionName, name: string, color: string, east: number, north: number): Place {
  const scale = WIDTH / 280;
  return { region, name, color, x: (east + 128) * scale, y: Math.min((68 - north) * scale, HEIGHT) };
}
