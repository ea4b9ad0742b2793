/** The map: the three places, the ways between them, and to which relay each replica is linked. */
import { useStatus } from "eyot/react";
import { useEffect, useRef, type CSSProperties, type ReactNode } from "react";

import { HEIGHT, LAND, WIDTH } from "./land.js";
import { nameOf, PLACES, WAYS, type Place } from "./places.js";
import { showTravel, wayId } from "./travel.js";
import type { Region } from "../control.js";
import type { Site } from "./site.js";

interface Props {
  sites: readonly Site[];
  regions: readonly Region[];
}

/** What is shown of the map, and below it where the links of the replicas lead to their editors. */
const TOP = 20;
const BOTTOM = HEIGHT - 14;
const FOOT = HEIGHT + 12;

export function World({ sites, regions }: Props): ReactNode {
  const picture = useRef<SVGSVGElement>(null);
  useEffect(() => showTravel(picture.current!, sites), [sites]);
  const isUp = ({ region }: Place): boolean => regions.find((each) => each.region === region)?.up ?? false;
  const down = PLACES.filter((place) => !isUp(place)).map(({ name }) => name);
  const label = `A map of the regions Virginia, Frankfurt and Singapore. ${down.length === 0 ? "All are up." : `Down: ${down.join(", ")}.`}`;
  return (
    <svg className="world" ref={picture} viewBox={`0 ${TOP} ${WIDTH} ${FOOT - TOP}`} role="img" aria-label={label}>
      <svg width={WIDTH} height={BOTTOM}>
        <path className="land" d={LAND} />
      </svg>
      {WAYS.map(({ from, to, ms }) => {
        const [x, y] = middle(from, to);
        return (
          <g key={wayId(from, to)} className="way" data-up={isUp(from) && isUp(to)}>
            <path id={wayId(from, to)} d={arc(from, to)} />
            <text x={x} y={y}>
              {ms} ms
            </text>
          </g>
        );
      })}
      {sites.map((site, at) => (
        <Link key={site.place.region} site={site} x={((2 * at + 1) / (2 * sites.length)) * WIDTH} />
      ))}
      {PLACES.map((place) => (
        <g
          key={place.region}
          className="place"
          data-place={place.region}
          data-up={isUp(place)}
          style={{ "--place": place.color } as CSSProperties}
        >
          <circle className="ring" cx={place.x} cy={place.y} r="9" />
          <circle className="dot" cx={place.x} cy={place.y} r="9" />
          {!isUp(place) && <path className="cross" d={cross(place)} />}
          <text x={place.x} y={place.y - 18}>
            {place.name}
          </text>
        </g>
      ))}
    </svg>
  );
}

/** From a replica, below the map, to the relay that it is linked to. */
function Link({ site: { place, space }, x }: { site: Site; x: number }): ReactNode {
  const { relay } = useStatus(space);
  const to = PLACES.find(({ region }) => region === relay?.region);
  const end = to ?? { x, y: FOOT - 26 };
  return (
    <g className="link" data-linked={to !== undefined} style={{ "--place": place.color } as CSSProperties}>
      <title>
        {place.name} is linked to {to === undefined ? "no relay" : nameOf(to.region)}
      </title>
      <path d={`M${x} ${FOOT}C${x} ${FOOT - 50} ${end.x} ${end.y + 60} ${end.x} ${end.y}`} />
    </g>
  );
}

/** Bent upwards, as ways over the globe look on a map. */
function arc(from: Place, to: Place): string {
  const [x, y] = top(from, to);
  return `M${from.x} ${from.y}Q${x} ${y} ${to.x} ${to.y}`;
}

function top(from: Place, to: Place): [number, number] {
  const far = Math.abs(to.x - from.x);
  const isLong = far > WIDTH / 2;
  return [(from.x + to.x) / 2, isLong ? HEIGHT + 10 : Math.min(from.y, to.y) - far * 0.12];
}

function middle(from: Place, to: Place): [number, number] {
  const [x, y] = top(from, to);
  return [(from.x + 2 * x + to.x) / 4, (from.y + 2 * y + to.y) / 4 - 7];
}

function cross({ x, y }: Place): string {
  return `M${x - 14} ${y - 14}l28 28m0 -28l-28 28`;
}
