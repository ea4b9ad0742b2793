/** The time of replicas: the platform's, unless `eyot/testing` moves it. */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `ring` once, after so long. */
  setTimer(ring: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
}

export const platformClock: Clock = {
  now: () => Date.now(),
  setTimer: (ring, ms) => setTimeout(ring, ms),
  clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

let used = platformClock;

/** From now on all replicas of this process have their time from this clock. */
export function useClock(clock: Clock): void {
  used = clock;
}

/** The clock that is used, whichever that is when it is asked. */
export const clock: Clock = {
  now: () => used.now(),
  setTimer: (ring, ms) => used.setTimer(ring, ms),
  clearTimer: (timer) => used.clearTimer(timer),
};
