/** Reads a command line. What it says of mistakes is what the native relay says of them. */

/** A mistake of whoever started the program; nothing is wrong with the program. */
export class Mistake extends Error {}

/** What was given is no command line. How it is used helps. */
export class WrongFlags extends Mistake {}

export interface FlagSpec {
  /** What stands for the value in help. Without one it is a switch. */
  value?: string;
  help: string;
  /** Checks the value, and throws a `Mistake` that says what is wrong with it. */
  check?: (value: string) => unknown;
  isRequired?: boolean;
  isRepeated?: boolean;
  conflicts?: readonly string[];
  /** The only values that it takes. */
  values?: readonly string[];
}

/** The values of flags, by their names without dashes. */
export type Given = ReadonlyMap<string, readonly string[]>;

/** Throws `WrongFlags`. */
export function readFlags(args: readonly string[], specs: Readonly<Record<string, FlagSpec>>): Given {
  const given = new Map<string, string[]>();
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, name, inline] = /^--([^=]+)(?:=([^]*))?$/.exec(arg) ?? [];
    const spec = name !== undefined && Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (name === undefined || spec === undefined) throw new WrongFlags(`unexpected argument '${arg}' found`);
    const shown = shownAs(name, spec);
    if (spec.value === undefined) {
      if (inline !== undefined)
        throw new WrongFlags(`unexpected value '${inline}' for '${shown}' found; no more were expected`);
      given.set(name, []);
      continue;
    }
    if (given.has(name) && spec.isRepeated !== true) {
      throw new WrongFlags(`the argument '${shown}' cannot be used multiple times`);
    }
    // A value that looks like a flag is given as --name=value.
    const value = inline ?? (rest[0]?.startsWith("-") === true ? undefined : rest.shift());
    if (value === undefined) {
      if (rest[0] !== undefined && !rest[0].startsWith("--"))
        throw new WrongFlags(`unexpected argument '${rest[0]}' found`);
      throw new WrongFlags(`a value is required for '${shown}' but none was supplied`);
    }
    if (spec.values !== undefined && !spec.values.includes(value)) {
      throw new WrongFlags(`invalid value '${value}' for '${shown}'\n  [possible values: ${spec.values.join(", ")}]`);
    }
    try {
      spec.check?.(value);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      throw new WrongFlags(`invalid value '${value}' for '${shown}': ${error.message}`);
    }
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  if (given.has("help")) return given;
  for (const name of given.keys()) {
    const other = specs[name]?.conflicts?.find((other) => given.has(other));
    if (other === undefined) continue;
    throw new WrongFlags(
      `the argument '${shownAs(name, specs[name]!)}' cannot be used with '${shownAs(other, specs[other]!)}'`,
    );
  }
  const missing = Object.entries(specs).filter(([name, spec]) => spec.isRequired === true && !given.has(name));
  if (missing.length > 0) {
    const names = missing.map(([name, spec]) => `\n  ${shownAs(name, spec)}`);
    throw new WrongFlags(`the following required arguments were not provided:${names.join("")}`);
  }
  return given;
}

/** The flags, with what they are for. */
export function helpOf(specs: Readonly<Record<string, FlagSpec>>): string {
  const shown = Object.entries(specs).map(([name, spec]) => [shownAs(name, spec), spec.help] as const);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, help]) => `  ${name.padEnd(width)}  ${help}`).join("\n");
}

function shownAs(name: string, { value }: FlagSpec): string {
  return value === undefined ? `--${name}` : `--${name} <${value}>`;
}
