/** The public types of `eyot/testing`. */
import type { Keys } from "../access/keys.js";
import type { Space, SpaceOptions } from "../space/types.js";

export interface TestNetworkOptions {
  /** The regions; each has a relay, and all are linked. Default: one, `here`. */
  regions?: readonly string[];
  /** What tokens are checked with, as in `routeRelay`. Default: everybody may come in. */
  keys?: Keys | "open";
  /** Decides what is left to chance at the relays. Default: other chance each time. */
  seed?: number;
}

export interface TestSpaceOptions extends Omit<SpaceOptions, "relays"> {
  /** The region that is nearest to this replica. Default: the first. */
  region?: string;
}

/** One side of a cut: a region by its name, or a replica that the network has opened. */
export type Party = string | Space;

/** Relays in this process, and what happens to them. */
export interface TestNetwork extends AsyncDisposable {
  /** To be given as `relays` where the code under test opens spaces itself. */
  readonly relays: readonly string[];
  /** Opens a space on this network, kept in memory unless `storage` says otherwise. */
  openSpace(name: string, options?: TestSpaceOptions): Promise<Space>;
  /** Cuts a region or a replica off from everybody, or two parties from each other; without arguments everybody from everybody. */
  cut(party?: Party, from?: Party): void;
  /** Takes back what `cut` did, of all of them, of one or between two, and starts regions that were killed. Replicas connect again at once. */
  heal(party?: Party, from?: Party): void;
  /** Ends the process of a region's relay, without warning. What it has stored is there when it is healed. */
  kill(region: string): void;
  /** A region's relay loses all that it has stored. It starts again, empty, unless it was killed. */
  wipe(region: string): void;
  /** From now on each message takes this long. */
  delay(ms: number): void;
  /**
   * Moves the time of all replicas and relays of this process: what is due meanwhile happens, in order. Once all networks
   * are closed it is the present again.
   */
  advance(ms: number): Promise<void>;
  /** What time it is on the network, in milliseconds since 1970. */
  now(): number;
  /** Closes the spaces that it has opened, and ends the relays. */
  close(): Promise<void>;
}
