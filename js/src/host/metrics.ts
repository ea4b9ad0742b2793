/**
 * Counters of this process or isolate, and the page on which Prometheus reads them. The metrics have the same names as those of
 * the native relay. On Cloudflare the platform may run many isolates and end any of them, so each page is a part of the whole.
 */

import { CLOSE_NAMES } from "../base/close-codes.js";

/** Counts since this isolate started. */
export const counters = {
  loaded: 0,
  accepted: 0,
  commitsIn: 0,
  commitsOut: 0,
  forks: 0,
  framesIn: 0,
  framesOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  regionLinksOpened: 0,
  regionLinksFailed: 0,
  regionLinksClosed: 0,
  originsRefused: 0,
};

/** Connections closed, by code. */
const closed = new Map<number, number>();

/** Counts a connection that ended with this code. */
export function countClosed(code: number): void {
  closed.set(code, (closed.get(code) ?? 0) + 1);
}

/** The page, in the text format of Prometheus. */
export function metrics(): string {
  const direction = (into: number, out: number): Samples => [
    ['{direction="in"}', into],
    ['{direction="out"}', out],
  ];
  const closes: Samples = [...closed].map(([code, count]) => [
    `{code="${code}",reason="${CLOSE_NAMES[code] ?? "other"}"}`,
    count,
  ]);
  const links: Samples = [
    ['{event="opened"}', counters.regionLinksOpened],
    ['{event="failed"}', counters.regionLinksFailed],
    ['{event="closed"}', counters.regionLinksClosed],
  ];
  return [
    series("relays_loaded", "Relays of spaces loaded from storage", [["", counters.loaded]]),
    series("connections_accepted", "Connections accepted", [["", counters.accepted]]),
    series("connections_closed", "Connections closed, by code", closes),
    series("origins_refused", "Connections refused for their page's origin", [["", counters.originsRefused]]),
    series("region_links", "Links to relays of other regions that were dialled", links),
    series("commits", "Commits stored and sent", direction(counters.commitsIn, counters.commitsOut)),
    series("forks", "Branches begun by authors that had one: replicas quarantine their changes where they clash", [
      ["", counters.forks],
    ]),
    series("frames", "Frames received and sent", direction(counters.framesIn, counters.framesOut)),
    series("bytes", "Bytes of frames received and sent", direction(counters.bytesIn, counters.bytesOut)),
  ].join("\n");
}

/** Labels and values. */
type Samples = (readonly [labels: string, value: number])[];

function series(name: string, help: string, samples: Samples): string {
  const full = `eyot_${name}_total`;
  const lines = samples.map(([labels, value]) => `${full}${labels} ${value}`);
  return [`# HELP ${full} ${help}.`, `# TYPE ${full} counter`, ...lines].join("\n");
}
