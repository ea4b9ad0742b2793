//! What was found, for people and for machines.

use std::time::Duration;

use crate::histogram::Histogram;
use crate::relay::Memory;

struct Row {
    group: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    aim: Option<Aim>,
}

#[derive(Clone, Copy)]
pub enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub fn add(&mut self, group: &'static str, name: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push(Row { group, name: name.into(), value, unit, aim: None });
    }

    /// What there is an aim for; it is said, never asserted.
    pub fn add_aimed(
        &mut self,
        group: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        aim: Aim,
    ) {
        self.add(group, name, value, unit);
        self.rows.last_mut().expect("a row was just added").aim = Some(aim);
    }

    pub fn add_memory(&mut self, group: &'static str, name: &str, memory: Memory) {
        self.add(group, format!("{name}: resident"), memory.resident_bytes as f64 / 1e6, "MB");
        self.add(group, format!("{name}: private, dirty"), memory.private_dirty_bytes as f64 / 1e6, "MB");
    }

    pub fn add_latency(&mut self, group: &'static str, name: &str, latencies: &Histogram) {
        for (quantile, share) in [("p50", 0.5), ("p99", 0.99)] {
            let value = millis(latencies.quantile(share));
            self.add(group, format!("{name}, {quantile}"), value, "ms");
        }
    }

    /// How many cores were kept busy, so that it can be said what bounds a rate.
    pub fn add_cores(&mut self, group: &'static str, relay_cpu: f64, own_cpu: f64, seconds: f64) {
        self.add(group, "  cores busy, the relay's", relay_cpu / seconds, "");
        self.add(group, "  cores busy, the load generator's", own_cpu / seconds, "");
    }

    pub fn table(&self) -> String {
        let wide = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut table = String::new();
        let mut group = "";
        for row in &self.rows {
            if row.group != group {
                group = row.group;
                table += &format!("\n{group}\n");
            }
            let aim = row.aim.map_or(String::new(), |aim| aim.describe(row.value));
            table += &format!("  {:<wide$}  {:>11} {}{aim}\n", row.name, number(row.value), row.unit);
        }
        table
    }

    pub fn json(&self) -> String {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|Row { group, name, value, unit, aim }| {
                let aim = match aim {
                    None => String::new(),
                    Some(Aim::AtMost(aim)) => format!(r#","atMost":{aim}"#),
                    Some(Aim::AtLeast(aim)) => format!(r#","atLeast":{aim}"#),
                };
                format!(r#"{{"group":"{group}","name":"{name}","value":{value},"unit":"{unit}"{aim}}}"#)
            })
            .collect();
        format!("[\n  {}\n]", rows.join(",\n  "))
    }
}

impl Aim {
    fn describe(self, value: f64) -> String {
        let (word, aim, is_met) = match self {
            Aim::AtMost(aim) => ("at most", aim, value <= aim),
            Aim::AtLeast(aim) => ("at least", aim, value >= aim),
        };
        format!("   aim: {word} {}{}", number(aim), if is_met { "" } else { ", missed" })
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// With as many digits as say something, and commas between thousands.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let grouped: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    format!("{sign}{}", grouped.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_small_ones_keep_two_digits() {
        assert_eq!(number(1_234_567.0), "1,234,567");
        assert_eq!(number(-1_234.0), "-1,234");
        assert_eq!(number(0.126), "0.13");
        assert_eq!(number(100.0), "100");
    }
}
