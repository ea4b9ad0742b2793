/**
 * Close codes of WebSockets, and their names in metrics. From 4000 on they belong to the sync protocol, see
 * `crate/core/docs/protocol.md`; the names are the same in the native relay.
 */
export const CLOSE_CODES = {
  /** Reported where a connection ended without a close frame. It cannot be sent. */
  gone: 1006,
  done: 1000,
  malformed: 4000,
  "too-large": 4001,
  "out-of-order": 4002,
  incompatible: 4003,
  denied: 4004,
  quota: 4005,
  "log-replaced": 4006,
  withheld: 4007,
  storage: 4008,
  "going-away": 4009,
  expired: 4010,
} as const;

/** Codes that mean the same as one of those above. */
const GOING_AWAY = 1001;
const NO_STATUS = 1005;

export function closeName(code: number): string {
  const known = code === GOING_AWAY ? CLOSE_CODES.done : code === NO_STATUS ? CLOSE_CODES.gone : code;
  return Object.entries(CLOSE_CODES).find(([, value]) => value === known)?.[0] ?? "other";
}
