/**
 * Guards the calls to one replica's engine. An error that carries one of our codes is the engine's answer. Any other
 * error means that the Wasm instance has failed, and with it every engine.
 */
import { coded, EyotError } from "../base/error.js";
import type { Limit } from "../base/wait.js";
import { Engine, failInstance, users, type EngineEvent, type EngineOptions } from "./instance.js";

export class EngineGuard {
  #engine: Engine | undefined;
  #dead: EyotError | undefined;
  readonly #onDeath: (error: EyotError) => void;
  /** Rejects once the engine can no longer be used. */
  readonly #end: Promise<never>;
  #rejectEnd: (error: EyotError) => void = () => undefined;

  private constructor(onDeath: (error: EyotError) => void) {
    this.#onDeath = onDeath;
    this.#end = new Promise((_, reject) => (this.#rejectEnd = reject));
    this.#end.catch(() => undefined);
    users.add(this);
  }

  /** Opens an engine. `onDeath` is called if the Wasm instance fails while the engine is in use. */
  static async open(
    options: Omit<EngineOptions, "onEvents">,
    onEvents: (events: EngineEvent[]) => void,
    onDeath: (error: EyotError) => void,
  ): Promise<EngineGuard> {
    const guard = new EngineGuard(onDeath);
    try {
      guard.#engine = await guard.wait(() =>
        Engine.open({ ...options, onEvents: (events) => guard.#hear(events, onEvents) }),
      );
    } catch (error) {
      users.delete(guard);
      throw error;
    }
    return guard;
  }

  /** Why the engine can no longer be used; undefined while it can. */
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

  /** Waits for a promise of the engine until the limit, and then tells the engine that no answer is needed. */
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

  /** Ends the use of the engine. Returns the error that later calls throw. */
  end(): EyotError {
    const error = this.#dead ?? new EyotError("closed", "the space is closed");
    this.#stop(error);
    return error;
  }

  fail(error: EyotError): void {
    if (this.#dead !== undefined) return;
    this.#stop(error);
    this.#onDeath(error);
  }

  #stop(error: EyotError): void {
    this.#dead = error;
    this.#rejectEnd(error);
    users.delete(this);
  }

  #hear(events: EngineEvent[], onEvents: (events: EngineEvent[]) => void): void {
    const death = events.find((event) => event.type === "dead");
    if (death !== undefined) failInstance(new Error(death.message));
    else onEvents(events);
  }

  #judge(error: unknown): EyotError {
    const known = coded(error);
    if (known !== undefined) return known;
    const failure = failInstance(error);
    return this.#dead ?? failure;
  }
}
