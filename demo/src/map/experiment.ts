/** The experiment at a button: two are cut off, all three write, the two come back. */
import { pause, write } from "./ghost.js";
import type { RegionName } from "./places.js";
import type { Site } from "./site.js";
import { Watched } from "./watched.js";

const LINES: Readonly<Record<RegionName, string>> = {
  us: "\nVirginia wrote this offline.",
  eu: "\nFrankfurt wrote this meanwhile.",
  ap: "\nSingapore wrote this offline, too.",
};
/** For who looks on to see that they differ. */
const LOOK_MS = 1_500;

export type Step = "cut" | "writing" | "apart" | "merging";

/** Which step is under way; undefined: none. */
export const step = new Watched<Step | undefined>(undefined);

export async function cutWriteMerge(sites: readonly Site[]): Promise<void> {
  if (step.value !== undefined) return;
  const cut = sites.filter(({ place, space }) => place.region !== "eu" && space.online);
  try {
    step.value = "cut";
    for (const { space } of cut) space.setOnline(false);
    await pause(LOOK_MS / 2);
    step.value = "writing";
    await Promise.all(sites.map((site) => write(site, LINES[site.place.region], () => true)));
    step.value = "apart";
    await pause(LOOK_MS);
    step.value = "merging";
  } finally {
    for (const { space } of cut) if (space.status.state !== "closed") space.setOnline(true);
  }
  await pause(LOOK_MS);
  step.value = undefined;
}
