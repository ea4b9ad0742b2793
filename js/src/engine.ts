/**
 * The one door to the Wasm. An error that carries one of our codes is an answer; any other means that
 * the instance has failed, and with it every engine in it: nothing of it is used again, and the next
 * space that is opened gets a fresh instance.
 */
import init, * as glue from "../wasm/eyot_web.js";
import type { Engine, EngineEvent, EngineOptions } from "../wasm/eyot_web.js";
import type { WasmSource } from "./types.js";
import { coded, EyotError, messageOf } from "./error.js";
import type { Limit } from "./wait.js";

export type { Engine, EngineEvent, EngineOptions, EngineStatus, Made } from "../wasm/eyot_web.js";

let loading: Promise<void> | undefined;
let failed = false;
const hosts = new Set<EngineHost>();

/** Makes the Wasm ready, once for all spaces. */
export async function load(source: () => WasmSource | Promise<WasmSource>): Promise<void> {
  if (typeof WebAssembly === "undefined")
    throw new EyotError("wasm", "this platform has no WebAssembly, or forbids it");
  loading ??= Promise.resolve()
    .then(source)
    .then((module_or_path) => init({ module_or_path }))
    .then(() => undefined);
  try {
    await loading;
  } catch (error) {
    loading = undefined;
    throw error instanceof EyotError ? error : wasmError("eyot's WebAssembly cannot be used", error);
  }
  if (failed) {
    glue.__wbg_reset_state();
    failed = false;
  }
}

/** One replica's engine, and whether it still lives. */
export class EngineHost {
  #engine: Engine | undefined;
  #dead: EyotError | undefined;
  readonly #onDeath: (error: EyotError) => void;
  /** Rejects once the engine is of no more use. */
  readonly #end: Promise<never>;
  #finish: (error: EyotError) => void = () => undefined;

  private constructor(onDeath: (error: EyotError) => void) {
    this.#onDeath = onDeath;
    this.#end = new Promise((_, reject) => (this.#finish = reject));
    this.#end.catch(() => undefined);
  }

  static async open(
    options: Omit<EngineOptions, "onEvents">,
    onEvents: (events: EngineEvent[]) => void,
    onDeath: (error: EyotError) => void,
  ): Promise<EngineHost> {
    const host = new EngineHost(onDeath);
    hosts.add(host);
    try {
      host.#engine = await host.wait(() =>
        glue.Engine.open({ ...options, onEvents: (events) => host.#hear(events, onEvents) }),
      );
    } catch (error) {
      hosts.delete(host);
      throw error;
    }
    return host;
  }

  /** Why this engine is of no more use, if it is not. */
  get dead(): EyotError | undefined {
    return this.#dead;
  }

  call<R>(fn: (engine: Engine) => R): R {
    if (this.#dead !== undefined) throw this.#dead;
    try {
      return fn(this.#engine!);
    } catch (error) {
      throw this.#judge(error);
    }
  }

  /** Waits for something that the engine will answer, to the limit: the engine need not answer after that. */
  async wait<R>(fn: (engine: Engine) => Promise<R>, limit?: Limit): Promise<R> {
    const work = this.call(fn);
    work.catch(() => undefined);
    try {
      return await Promise.race([this.#end, limit === undefined ? work : limit.race(work)]);
    } catch (error) {
      if (limit !== undefined && this.#dead === undefined) this.call((engine) => engine.cancel(work));
      throw this.#judge(error);
    }
  }

  /** Nothing more is asked of the engine. Why not: for those who try. */
  end(): EyotError {
    this.#dead ??= new EyotError("closed", "the space is closed");
    this.#finish(this.#dead);
    hosts.delete(this);
    return this.#dead;
  }

  #hear(events: EngineEvent[], onEvents: (events: EngineEvent[]) => void): void {
    const death = events.find((event) => event.type === "dead");
    if (death !== undefined) failAll(new Error(death.message));
    else onEvents(events);
  }

  #judge(error: unknown): EyotError {
    const known = coded(error);
    if (known !== undefined) return known;
    failAll(error);
    return this.#dead ?? wasmError("eyot's engine has failed", error);
  }

  fail(error: EyotError): void {
    if (this.#dead !== undefined) return;
    this.#dead = error;
    this.#finish(error);
    hosts.delete(this);
    this.#onDeath(error);
  }
}

/** All engines share one memory: if one fails, none can be trusted. */
function failAll(cause: unknown): void {
  failed = true;
  const error = wasmError("eyot's engine has failed; open the space again", cause);
  for (const host of [...hosts]) host.fail(error);
}

function wasmError(what: string, cause: unknown): EyotError {
  return new EyotError("wasm", `${what}: ${messageOf(cause)}`, { cause });
}
