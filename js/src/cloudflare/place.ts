/** Locations of regions, and which region is nearest to a client. */

type Coordinates = readonly [latitude: number, longitude: number];

/** The platform's location hints with approximate coordinates. */
const HINTS: Readonly<Record<string, Coordinates>> = {
  wnam: [37, -120],
  enam: [40, -77],
  sam: [-23, -47],
  weur: [50, 4],
  eeur: [51, 21],
  apac: [22, 114],
  oc: [-34, 150],
  afr: [-26, 28],
  me: [25, 55],
};

/** Common names of regions, and the hints they stand for. */
const ALIASES: Readonly<Record<string, string>> = { eu: "weur", us: "enam", ap: "apac", sa: "sam", af: "afr" };

/** For each continent, roughly the centre of its population. */
const CONTINENTS: Readonly<Record<string, Coordinates>> = {
  AF: [0, 20],
  AN: [-75, 0],
  AS: [25, 105],
  EU: [50, 10],
  NA: [39, -95],
  OC: [-28, 145],
  SA: [-15, -58],
};

/** Where the law wants data to stay. */
export type Jurisdiction = "eu" | "fedramp";

/** The platform's jurisdictions, and which of the hints are in them. */
const JURISDICTIONS: Readonly<Record<Jurisdiction, readonly string[]>> = {
  eu: ["weur", "eeur"],
  fedramp: ["enam", "wnam"],
};

export function isJurisdiction(name: unknown): name is Jurisdiction {
  return typeof name === "string" && Object.hasOwn(JURISDICTIONS, name);
}

/** The regions if the options name none. Only a few, because each commit is stored in all of them. */
export function defaultRegions(jurisdiction: Jurisdiction | undefined): readonly string[] {
  return jurisdiction === undefined ? ["weur", "enam", "apac"] : JURISDICTIONS[jurisdiction];
}

/** Whether a region can be in the jurisdiction: its name says nothing else. */
export function isWithin(region: string, jurisdiction: Jurisdiction | undefined): boolean {
  const { locationHint } = hintOf(region);
  if (jurisdiction === undefined || locationHint === undefined) return true;
  return JURISDICTIONS[jurisdiction].includes(locationHint);
}

/** The location hint of a region; none if its name is neither a hint nor a common name. */
export function hintOf(region: string): { locationHint?: string } {
  const hint = ALIASES[region] ?? region;
  return Object.hasOwn(HINTS, hint) ? { locationHint: hint } : {};
}

/** The client's location as the platform reports it. */
export interface ClientPlace {
  continent?: string;
  latitude?: string;
  longitude?: string;
}

/** The region nearest to a client; the first one if the client's location or all regions' locations are unknown. */
export function nearest(regions: readonly string[], client: ClientPlace | undefined): string | undefined {
  const from = coordinates(client);
  const distances = regions.map((region) => {
    const { locationHint } = hintOf(region);
    const place = locationHint === undefined ? undefined : HINTS[locationHint];
    return from === undefined || place === undefined ? Infinity : angle(from, place);
  });
  return regions[distances.indexOf(Math.min(...distances))];
}

function coordinates(client: ClientPlace | undefined): Coordinates | undefined {
  const [latitude, longitude] = [Number.parseFloat(client?.latitude ?? ""), Number.parseFloat(client?.longitude ?? "")];
  if (Number.isFinite(latitude) && Number.isFinite(longitude)) return [latitude, longitude];
  return CONTINENTS[client?.continent ?? ""];
}

/** The angle between two places, measured at the centre of the Earth. */
function angle(a: Coordinates, b: Coordinates): number {
  const [phiA, lambdaA, phiB, lambdaB] = [...a, ...b].map((degrees) => (degrees * Math.PI) / 180) as [
    number,
    number,
    number,
    number,
  ];
  const cosine = Math.sin(phiA) * Math.sin(phiB) + Math.cos(phiA) * Math.cos(phiB) * Math.cos(lambdaA - lambdaB);
  return Math.acos(Math.min(1, Math.max(-1, cosine)));
}
