/**
 * Close codes of WebSockets, and their names in metrics. From 4000 on they belong to the sync protocol, see
 * `crate/core/docs/protocol.md`. The native relay uses the same names.
 */
export const CLOSE_DONE = 1000;
/** Reported where a connection ended without a close frame. It cannot be sent. */
export const CLOSE_GONE = 1006;
export const CLOSE_MALFORMED = 4000;
export const CLOSE_TOO_LARGE = 4001;
export const CLOSE_OUT_OF_ORDER = 4002;
export const CLOSE_INCOMPATIBLE = 4003;
export const CLOSE_DENIED = 4004;
export const CLOSE_STORAGE = 4008;
export const CLOSE_GOING_AWAY = 4009;
export const CLOSE_EXPIRED = 4010;

export const CLOSE_NAMES: Readonly<Record<number, string>> = {
  [CLOSE_DONE]: "done",
  1001: "done",
  1005: "gone",
  [CLOSE_GONE]: "gone",
  [CLOSE_MALFORMED]: "malformed",
  [CLOSE_TOO_LARGE]: "too-large",
  [CLOSE_OUT_OF_ORDER]: "out-of-order",
  [CLOSE_INCOMPATIBLE]: "incompatible",
  [CLOSE_DENIED]: "denied",
  4005: "full",
  4006: "log-replaced",
  4007: "withheld",
  [CLOSE_STORAGE]: "storage",
  [CLOSE_GOING_AWAY]: "going-away",
  [CLOSE_EXPIRED]: "expired",
  4011: "flow",
  4012: "waiting",
};
