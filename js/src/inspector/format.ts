/** How the inspector writes numbers and values. */

/** Of a value that is longer, the rest is left out: showing it would hold up the page. */
const VALUE_CHARACTERS_MAX = 20_000;

export function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)} kB` : `${(count / 1_000_000).toFixed(1)} MB`;
}

export function milliseconds(time: number): string {
  if (time <= 0) return "";
  return time < 10 ? `${time.toFixed(1)} ms` : `${Math.round(time)} ms`;
}

export function many(count: number, one: string, more = `${one}s`): string {
  return `${count} ${count === 1 ? one : more}`;
}

export function clock(time: number): string {
  return new Date(time).toLocaleTimeString();
}

/** Long ids by their beginning, which tells them apart well enough for people. */
export function short(id: string): string {
  return id.length <= 12 ? id : `${id.slice(0, 10)}…`;
}

/** A value as JSON, in lines. */
export function value(of: unknown): string {
  const written = (_: string, part: unknown): unknown => {
    if (part instanceof Uint8Array) return `(${many(part.length, "byte")})`;
    return part;
  };
  const text = JSON.stringify(of, written, 2) ?? "";
  if (text.length <= VALUE_CHARACTERS_MAX) return text;
  return `${text.slice(0, VALUE_CHARACTERS_MAX)}\n… ${many(text.length - VALUE_CHARACTERS_MAX, "more character")}`;
}
