// What was lost, what was applied twice, and who differs: counted from what was made and what each holder says.

/** Names enough to look into it, not more than one reads. */
const SHOWN = 20;

/**
 * `commits`: all that were made, `{ id, ackedAt }`. `holders`: by name, `{ document: { count, entries, heads, commits } }`.
 * `regions`: those of the holders that say what a region holds.
 */
export function judge({ commits, holders, regions }) {
  const held = new Map(regions.map((region) => [region, entriesOf(holders[region])]));
  const missing = commits.flatMap(({ id, madeAt, ackedAt }) => {
    const from = regions.filter((region) => !held.get(region).has(id));
    return from.length === 0 ? [] : [{ id, madeAt, ackedAt, from }];
  });
  const lost = (level) => missing.filter(({ ackedAt }) => ackedAt[level] !== undefined).length;
  const acknowledged = (level) => commits.filter(({ ackedAt }) => ackedAt[level] !== undefined).length;
  const doubled = Object.entries(holders).flatMap(([holder, contents]) => doubledIn(holder, contents));
  const different = differences(holders);
  return {
    commits: commits.length,
    acknowledged: { 1: acknowledged(1), 2: acknowledged(2) },
    lost: { 1: lost(1), 2: lost(2), unacknowledged: missing.length - lost(1) },
    duplicated: doubled.reduce((sum, { times }) => sum + times, 0),
    different: different.length,
    holds: missing.length === 0 && doubled.length === 0 && different.length === 0,
    evidence: {
      missing: missing.slice(0, SHOWN),
      doubled: doubled.slice(0, SHOWN),
      different: different.slice(0, SHOWN),
    },
  };
}

function entriesOf(contents) {
  return new Set(Object.values(contents).flatMap(({ entries }) => entries));
}

function doubledIn(holder, contents) {
  return Object.entries(contents).flatMap(([document, { count, entries }]) => {
    const seen = new Set();
    const repeated = entries.filter((id) => seen.has(id) || !seen.add(id));
    const times = Math.max(repeated.length, Math.abs(count - seen.size));
    return times === 0
      ? []
      : [{ holder, document, times, count, entries: seen.size, repeated: repeated.slice(0, SHOWN) }];
  });
}

/** Every holder is held against the first. */
function differences(holders) {
  const [[first, model], ...others] = Object.entries(holders);
  return others.flatMap(([holder, contents]) =>
    Object.keys(model).flatMap((document) => {
      const [one, other] = [model[document], contents[document]];
      if (JSON.stringify(one) === JSON.stringify(other)) return [];
      const summary = ({ count, entries, heads, commits }) => ({ count, entries: entries.length, heads, commits });
      return [{ document, [first]: summary(one), [holder]: summary(other) }];
    }),
  );
}
