/** Turns of the event loop. They go on where a test runner has replaced its timers: what is used was there before. */

type Turn = (run: () => void) => void;

export const turn: Turn = (globalThis as { setImmediate?: Turn }).setImmediate?.bind(globalThis) ?? byMessages();

/** Browsers have no `setImmediate`, and make timers wait. */
function byMessages(): Turn {
  let channel: MessageChannel | undefined;
  const due: (() => void)[] = [];
  return (run) => {
    if (channel === undefined) {
      channel = new MessageChannel();
      channel.port1.onmessage = () => due.shift()?.();
    }
    due.push(run);
    channel.port2.postMessage(undefined);
  };
}
