/** The error of this package and its codes. */

/** What went wrong. A code never changes its meaning. */
export type ErrorCode =
  | "not-found"
  | "denied"
  | "expired"
  | "too-large"
  | "quota"
  | "timeout"
  | "aborted"
  | "closed"
  | "storage"
  | "corrupt"
  | "incompatible"
  | "invalid"
  | "wasm"
  | "unsent"
  | "unavailable";

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "not-found",
  "denied",
  "expired",
  "too-large",
  "quota",
  "timeout",
  "aborted",
  "closed",
  "storage",
  "corrupt",
  "incompatible",
  "invalid",
  "wasm",
  "unsent",
  "unavailable",
]);

/** The one error this package throws. `code` is for programs, `message` for people, `cause` for debugging. */
export class EyotError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "EyotError";
    this.code = code;
  }
}

/** An error for a wrong argument. */
export function invalid(message: string, cause?: unknown): EyotError {
  return new EyotError("invalid", message, cause === undefined ? undefined : { cause });
}

/** The error as an `EyotError` if it has one of our codes, else undefined. */
export function coded(error: unknown): EyotError | undefined {
  if (error instanceof EyotError) return error;
  if (!(error instanceof Error) || !("code" in error) || !isCode(error.code)) return undefined;
  return new EyotError(error.code, error.message, { cause: error });
}

export function isCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && CODES.has(code);
}

/** The text of whatever was thrown. It never throws itself, although the application may have thrown anything. */
export function messageOf(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : error;
    return String(message);
  } catch {
    return "unknown error";
  }
}
