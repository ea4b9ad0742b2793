/** What this isolate has seen; the platform may run many, and ends them as it likes. */

/** Counted since this isolate began. */
export const counters = {
  loaded: 0,
  commits: 0,
  accepted: 0,
  closed: 0,
  framesIn: 0,
  framesOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  dialled: 0,
  dialEnded: 0,
  dialFailed: 0,
  refusedOrigins: 0,
};

/** The core's close codes that refuse something. */
const REFUSALS: Readonly<Record<number, string>> = {
  4000: "malformed",
  4001: "too-large",
  4002: "out-of-order",
  4003: "incompatible",
  4004: "denied",
  4005: "quota",
  4007: "withheld",
  4008: "storage",
  4010: "expired",
};
const refused = new Map(Object.values(REFUSALS).map((reason) => [reason, 0]));

/** This side closed a link. */
export function countRefusal(code: number): void {
  const reason = REFUSALS[code];
  if (reason !== undefined) refused.set(reason, (refused.get(reason) ?? 0) + 1);
}

/** All of it, as Prometheus reads it. */
export function metrics(): string {
  const { loaded, commits, accepted, closed, framesIn, framesOut, bytesIn, bytesOut, dialled, dialEnded, dialFailed } =
    counters;
  const refusals = [...refused, ["origin", counters.refusedOrigins] as const];
  const series: [string, string, [string, number][]][] = [
    ["eyot_relays_loaded_total", "Relays loaded from storage by this isolate.", [["", loaded]]],
    ["eyot_commits_total", "Commits stored by this isolate.", [["", commits]]],
    [
      "eyot_connections_total",
      "Connections accepted and closed by this isolate.",
      [
        ['{event="accepted"}', accepted],
        ['{event="closed"}', closed],
      ],
    ],
    [
      "eyot_refused_total",
      "Connections refused or ended by this isolate, by reason.",
      refusals.map(([reason, count]) => [`{reason="${reason}"}`, count]),
    ],
    [
      "eyot_region_links_total",
      "Links to relays of other regions that this isolate opened, had to an end, or could not open.",
      [
        ['{event="opened"}', dialled],
        ['{event="ended"}', dialEnded],
        ['{event="failed"}', dialFailed],
      ],
    ],
    [
      "eyot_frames_total",
      "Frames received and sent by this isolate.",
      [
        ['{direction="in"}', framesIn],
        ['{direction="out"}', framesOut],
      ],
    ],
    [
      "eyot_bytes_total",
      "Bytes of frames received and sent by this isolate.",
      [
        ['{direction="in"}', bytesIn],
        ['{direction="out"}', bytesOut],
      ],
    ],
  ];
  return series
    .flatMap(([name, help, samples]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} counter`,
      ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
    ])
    .join("\n");
}
