// The drill's findings, for people.

const WIDTHS = [13, 18, 23, 31, 0];

export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export function print(report) {
  const { commits, acknowledged, lost, kills } = report;
  console.log(`\n  ${report.replicas} replicas wrote for ${seconds(report.seconds * 1000)}\n`);
  line("commits made", commits);
  line("  acknowledged by one region", acknowledged[1], `lost ${lost[1]}`);
  line("  acknowledged by two regions", acknowledged[2], `lost ${lost[2]}`);
  line("  not acknowledged", commits - acknowledged[1], `lost ${lost.unacknowledged}`);
  line("applied twice", report.duplicated);
  line("documents that differ between holders", report.different);
  const { p50, p99 } = report.failoverMs;
  line("writing through another region after", `p50 ${seconds(p50)}`, `p99 ${seconds(p99)}`);
  line("all equal after the last commit", report.equalAfterMs === undefined ? "never" : seconds(report.equalAfterMs));
  const row = (...cells) => console.log(`  ${cells.map((cell, index) => String(cell).padEnd(WIDTHS[index])).join("")}`);
  console.log();
  row(
    "killed",
    "replicas linked",
    "commits it had alone",
    "through another region after",
    "stored in all regions again after",
  );
  for (const { region, wiped, linked, alone, failoverMs, equalAfterMs } of kills) {
    const times = `p50 ${seconds(failoverMs.p50)}, p99 ${seconds(failoverMs.p99)}`;
    row(`${region}${wiped ? ", wiped" : ""}`, linked, alone, times, seconds(equalAfterMs));
  }
  for (const [kind, found] of Object.entries(report.evidence)) {
    for (const one of found) console.log(`\n  ${kind}: ${JSON.stringify(one)}`);
  }
  console.log();
}

function line(name, value, more = "") {
  console.log(`  ${name.padEnd(40)}${value.toLocaleString("en").padStart(12)}   ${more}`);
}

function seconds(ms) {
  return ms === undefined ? "none" : `${(ms / 1000).toFixed(2)} s`;
}
