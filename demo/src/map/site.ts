/** One of the three replicas, as it is in this page: its space, its document, and what is measured of it. */
import { indexedDb, openSpace, type Doc, type Space } from "eyot";

import type { Acknowledged } from "./acknowledged.js";
import { NOTE, type Note } from "./note.js";
import type { Place } from "./places.js";
import type { Region } from "../control.js";
import { Stopwatch } from "./stopwatch.js";

/** A replica with a store and a link of its own. */
export interface Site {
  place: Place;
  space: Space;
  note: Doc<Note>;
  /** Milliseconds from an edit until it is on this device's disk, at a relay, in a second region. */
  disk: Stopwatch;
  relay: Stopwatch;
  second: Stopwatch;
}

/** Each reaches the regions as somebody in its place does. */
export async function openSite(
  place: Place,
  name: string,
  regions: readonly Region[],
  acknowledged: Acknowledged,
): Promise<Site> {
  const space = await openSpace(name, {
    relays: regions.map(({ ways }) => ways[place.region]!),
    storage: indexedDb({ database: `eyot-map-${place.region}` }),
  });
  const note = await space.named<Note>(NOTE, { text: "" });
  space.presence.set({ name: place.name, color: place.color });
  const disk = new Stopwatch(() => space.saved());
  const relay = new Stopwatch(() => space.durable());
  const second = new Stopwatch(() => space.durable({ regions: 2 }));
  note.subscribe((_, { origin }) => {
    if (origin !== "local") return;
    for (const each of [disk, relay, second]) each.start();
    acknowledged.follow(space, note.heads);
  });
  return { place, space, note, disk, relay, second };
}
