/** Who can't reach whom. */
export class Cuts {
  /** Cut off from everybody. */
  readonly #alone = new Set<string>();
  readonly #pairs = new Set<string>();

  cut(party: string, from: string | undefined): void {
    if (from === undefined) this.#alone.add(party);
    else this.#pairs.add(pair(party, from));
  }

  /** Without a second party: whatever cuts the first one off from anybody. */
  heal(party: string, from: string | undefined): void {
    if (from !== undefined) {
      this.#pairs.delete(pair(party, from));
      return;
    }
    this.#alone.delete(party);
    for (const one of [...this.#pairs]) if ((JSON.parse(one) as string[]).includes(party)) this.#pairs.delete(one);
  }

  healAll(): void {
    this.#alone.clear();
    this.#pairs.clear();
  }

  isCut(one: string, other: string): boolean {
    return this.#alone.has(one) || this.#alone.has(other) || this.#pairs.has(pair(one, other));
  }
}

function pair(one: string, other: string): string {
  return JSON.stringify([one, other].sort());
}
