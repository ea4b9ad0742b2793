/** The methods of `AsyncStore`, returning at once. */
export interface SyncStore {
  get(keys: Uint8Array[]): (Uint8Array | undefined)[];
  scan(from: Uint8Array, to: Uint8Array, bytesMax: number): StoreScan;
  write(batch: StoreWrite): boolean;
}
export interface RelayEngineOptions {
  space: string;
  region: string;
  /** The relays of the same space in other regions; an address is what `dial` will give. */
  peers?: { region: string; url: string }[];
  /** What lets this relay in at those. */
  token?: string;
  caps?: Partial<RelayCaps>;
  seed: Uint8Array;
  store: SyncStore;
}
/** What the relay of a space takes from others at most. A subject is a token's; where no tokens are asked for, everybody is one. */
export interface RelayCaps {
  /** Commits a second in bytes, each counted as 256 more than it has; what is more waits. */
  connectionBytesPerSecond: number;
  subjectBytesPerSecond: number;
  /** What is stored of the space, or of what a subject brought. */
  spaceBytesMax: number;
  subjectBytesMax: number;
  spaceAuthorsMax: number;
  subjectAuthorsMax: number;
  spaceConnectionsMax: number;
  subjectConnectionsMax: number;
}
/** What a verified token says. A space is named exactly, or by a prefix that ends in `*`. */
export interface RelayClaims {
  subject: string;
  spaces: [space: string, right: "read" | "write"][];
  /** Milliseconds since 1970. */
  expiresAt?: number;
  /** Whether the bearer is a relay of another region. */
  isRelay: boolean;
}
export type RelayOutput =
  /** Send this. */
  | { link: number; frame: Uint8Array }
  /** Close the link. */
  | { link: number; code: number; reason: string }
  /** Open a link to the peer of that address: `opened` or `closed` follows. */
  | { link: number; dial: string }
  /** Verify the token, if there is one: `authorized` or `refused` follows. */
  | { link: number; authorize: string | undefined };
export interface RegionView {
  region: string;
  isLinked: boolean;
  /** How many of the commits held here it is not known to have stored. */
  behind: number;
}
export interface RelayCounters {
  /** Commits stored. */
  commitsIn: number;
  /** Commits sent, counted once for each link. */
  commitsOut: number;
}
