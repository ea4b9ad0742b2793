/**
 * Guards the calls to one replica's engine. An error that carries one of our codes is the engine's answer. Where the Wasm
 * instance has failed, and with it every engine, its calls and promises get that error instead. Any other error is from
 * the bindings, which refuse arguments of another kind.
 */
import { coded, EyotError, invalid, isCode, messageOf } from "../base/error.js";
import type { Limit } from "../base/wait.js";
import { Engine, users, type EngineEvent, type EngineOptions } from "./instance.js";

export class EngineGuard {
  #engine: Engine | undefined;
  #dead: EyotError | undefined;
  readonly #onDeath: (error: EyotError) => void;
  /** Why the engine may not be called now, though it lives. */
  hold: string | undefined;
  /** What the engine holds of the platform: sockets, locks, databases. */
  readonly #resources = new Set<{ close(): unknown }>();
  /** Rejects once the engine can no longer be used. */
  readonly #end: Promise<never>;
  #rejectEnd: (error: EyotError) => void = () => undefined;

  private constructor(onDeath: (error: EyotError) => void) {
    this.#onDeath = onDeath;
    this.#end = new Promise((_, reject) => (this.#rejectEnd = reject));
    this.#end.catch(() => undefined);
    users.add(this);
  }

  /** Opens an engine. `onDeath` is called if it fails while it is in use, alone or with the Wasm instance. */
  static async open(
    options: Omit<EngineOptions, "onEvents" | "resources">,
    onEvents: (events: EngineEvent[]) => void,
    onDeath: (error: EyotError) => void,
  ): Promise<EngineGuard> {
    const guard = new EngineGuard(onDeath);
    try {
      guard.#engine = await guard.wait(() =>
        Engine.open({
          ...options,
          resources: guard.#resources,
          onEvents: (events) => guard.#hear(events, onEvents),
        }),
      );
    } catch (error) {
      guard.end();
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
    if (this.hold !== undefined) throw invalid(this.hold);
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

  /** Ends the use of the engine and gives its memory back. Returns the error that later calls throw. */
  end(): EyotError {
    const error = this.#dead ?? new EyotError("closed", "the space is closed");
    const engine = this.#engine;
    this.#stop(error);
    engine?.free();
    return error;
  }

  /** The engine can't be used any more, nor called: what it holds is let go of here. */
  fail(error: EyotError): void {
    if (this.#dead !== undefined) return;
    this.#stop(error);
    for (const resource of this.#resources) {
      try {
        resource.close();
      } catch {
        // It is closed already.
      }
    }
    this.#resources.clear();
    this.#onDeath(error);
  }

  #stop(error: EyotError): void {
    this.#dead ??= error;
    this.#engine = undefined;
    this.#rejectEnd(error);
    users.delete(this);
  }

  #hear(events: EngineEvent[], onEvents: (events: EngineEvent[]) => void): void {
    if (this.#dead !== undefined) return;
    const failed = events.find((event) => event.type === "failed");
    if (failed === undefined) return onEvents(events);
    // Only this engine has failed: it is called once more, to let go of everything.
    const engine = this.#engine;
    this.fail(known(failed));
    engine?.free();
  }

  #judge(error: unknown): EyotError {
    return this.#dead ?? coded(error) ?? invalid(messageOf(error), error);
  }
}

function known({ code, message }: { code: string; message: string }): EyotError {
  return new EyotError(isCode(code) ? code : "wasm", message);
}
