/** What is being opened when its wait ends. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EyotError } from "../src/base/error.js";
import { Limit } from "../src/base/wait.js";

describe("an opening whose signal says that it is over", () => {
  const reason = new Error("the page has gone");

  /** Opens what is closed by `close`; the error, and what nobody took. */
  async function abandon(close: () => unknown): Promise<{ error: unknown; unhandled: unknown[] }> {
    const unhandled: unknown[] = [];
    const listener = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listener);
    const controller = new AbortController();
    const limit = new Limit({ signal: controller.signal });
    let open = (_: { close(): unknown }): void => undefined;
    const opening = limit.raceOpening(new Promise<{ close(): unknown }>((resolve) => (open = resolve)));
    controller.abort(reason);
    const error: unknown = await opening.then(
      () => undefined,
      (error: unknown) => error,
    );
    limit.end();
    const closed = new Promise<void>((resolve) => open({ close: () => (resolve(), close()) }));
    await closed;
    // Rejections that nobody has taken are told once all tasks are done.
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listener);
    return { error, unhandled };
  }

  it("rejects with `aborted`, and the signal's reason is the cause", async () => {
    const { error } = await abandon(() => undefined);
    assert.ok(error instanceof EyotError);
    assert.equal(error.code, "aborted");
    assert.equal(error.cause, reason);
  });

  it("is closed once it is there, and nobody is told where that fails", async () => {
    const ways = [
      () => Promise.reject(new Error("it does not close")),
      () => {
        throw new Error("it does not close");
      },
    ];
    for (const close of ways) assert.deepEqual((await abandon(close)).unhandled, []);
  });
});
