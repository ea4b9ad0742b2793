// A process of several replicas, doing what it is told over the channel to its parent.

import { Writer } from "./replicas.mjs";

let writers = [];

const deeds = {
  async open(list) {
    writers = await Promise.all(list.map((options) => Writer.open(options)));
  },
  start({ perSecond }) {
    for (const writer of writers) writer.start(perSecond);
  },
  stop() {
    for (const writer of writers) writer.stop();
  },
  /** Who is linked to which region. */
  links() {
    return writers.map(({ name, region }) => ({ name, region }));
  },
  /** Waits until all that was made so far is stored in so many regions. */
  async durable({ regions, timeout }) {
    await Promise.all(writers.map(({ space }) => space.durable({ regions, timeout })));
  },
  commits() {
    return writers.flatMap(({ commits }) => commits);
  },
  censuses() {
    return writers.map(({ reader }) => reader.census());
  },
  async contents() {
    return Promise.all(writers.map(async (writer) => [writer.name, await writer.reader.contents()]));
  },
  /** What is in the way of a replica that does not get on. */
  statuses() {
    return writers.map(({ name, space: { status } }) => {
      const { state, relay, unsaved, unsent, behind, quarantined, error } = status;
      return { name, state, relay, unsaved, unsent, behind, quarantined, error: error?.message };
    });
  },
};

process.on("message", async ({ call, what, argument }) => {
  try {
    process.send({ call, result: await deeds[what](argument) });
  } catch (error) {
    process.send({ call, error: `${what}: ${error.stack ?? error}` });
  }
});
process.on("disconnect", () => process.exit());
