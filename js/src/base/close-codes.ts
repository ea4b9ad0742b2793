/**
 * Close codes of WebSockets, and their names in metrics. From 4000 on they belong to the sync protocol, see
 * `crate/core/docs/protocol.md`. The native relay uses the same names.
 */
export const CLOSE_DONE = 1000;
/** Reported where a connection ended without a close frame. It cannot be sent. */
export const CLOSE_GONE = 1006;
export const CLOSE_MALFORMED = 4000;
export const CLOSE_STORAGE = 4008;
export const CLOSE_GOING_AWAY = 4009;

export const CLOSE_NAMES: Readonly<Record<number, string>> = {
  [CLOSE_DONE]: "done",
  1001: "done",
  1005: "gone",
  [CLOSE_GONE]: "gone",
  [CLOSE_MALFORMED]: "malformed",
  4001: "too-large",
  4002: "out-of-order",
  4003: "incompatible",
  4004: "denied",
  4005: "full",
  4006: "log-replaced",
  4007: "withheld",
  [CLOSE_STORAGE]: "storage",
  [CLOSE_GOING_AWAY]: "going-away",
  4010: "expired",
  4011: "flow",
  4012: "waiting",
};
