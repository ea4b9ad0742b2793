//! Prints the sizes in a Wasm file by crate and by function.

mod module;
mod name;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::module::{Function, Module};
use self::name::{crate_of, family_of};
use crate::build::wasm::MODULES;

pub struct Size {
    /// How many of the largest functions are printed.
    pub functions: usize,
    /// Whether the instantiations of one generic function are printed as one.
    pub group: bool,
    /// A file to read in place of those that are built here.
    pub file: Option<PathBuf>,
}

impl Default for Size {
    fn default() -> Self {
        Self { functions: 40, group: false, file: None }
    }
}

impl Size {
    pub fn run(&self) -> Result<()> {
        match &self.file {
            Some(file) => self.print(file),
            None => MODULES.iter().try_for_each(|module| self.print(&module.compile()?)),
        }
    }

    fn print(&self, file: &Path) -> Result<()> {
        let module = fs::read(file)
            .map_err(Into::into)
            .and_then(|bytes| Module::read(&bytes))
            .with_context(|| format!("reading {}", file.display()))?;
        println!("{}, as it is before the binding step and wasm-opt\n", file.display());
        print!("{}", self.report(&module)?);
        Ok(())
    }

    fn report(&self, module: &Module) -> Result<String> {
        let mut text = String::new();
        for (what, bytes) in [("total", module.total), ("code", module.code), ("data", module.data)] {
            writeln!(text, "{:>11}  {what}", grouped(bytes))?;
        }
        writeln!(
            text,
            "{:>11}  custom sections: names, and what the binding step reads",
            grouped(module.custom)
        )?;

        let crates = summed(&module.functions, |function| crate_of(&function.name).to_owned());
        write_table(&mut text, "crate", &crates, crates.len(), module.code)?;
        if self.group {
            let families = summed(&module.functions, |function| family_of(&function.name));
            write_table(
                &mut text,
                "function, all its instantiations",
                &families,
                self.functions,
                module.code,
            )?;
        } else {
            let single =
                |function: &Function| Row { name: function.name.clone(), bytes: function.bytes, count: 1 };
            let functions = largest_first(module.functions.iter().map(single).collect());
            write_table(&mut text, "function", &functions, self.functions, module.code)?;
        }
        Ok(text)
    }
}

struct Row {
    name: String,
    bytes: usize,
    count: usize,
}

fn summed(functions: &[Function], name: impl Fn(&Function) -> String) -> Vec<Row> {
    let mut sums: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for function in functions {
        let (bytes, count) = sums.entry(name(function)).or_default();
        *bytes += function.bytes;
        *count += 1;
    }
    largest_first(sums.into_iter().map(|(name, (bytes, count))| Row { name, bytes, count }).collect())
}

fn largest_first(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.name.cmp(&other.name)));
    rows
}

fn write_table(text: &mut String, what: &str, rows: &[Row], shown: usize, code: usize) -> Result<()> {
    writeln!(text, "\n{:>11}  {:>6}  {:>6}  {what}", "bytes", "code", "count")?;
    for Row { name, bytes, count } in rows.iter().take(shown) {
        let share = 100.0 * *bytes as f64 / code as f64;
        writeln!(text, "{:>11}  {share:>5.1}%  {count:>6}  {name}", grouped(*bytes))?;
    }
    Ok(())
}

/// In groups of three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_and_functions_are_listed_by_size() {
        let text = report(false);
        assert!(
            text.contains("\n      3,000   75.0%       2  b\n      1,000   25.0%       1  a\n"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "\n      1,600   40.0%       1  b::g<u8>\n      1,400   35.0%       1  b::g<u16>\n"
            )
        );
    }

    #[test]
    fn instantiations_can_be_listed_as_one() {
        let text = report(true);
        assert!(
            text.ends_with("\n      3,000   75.0%       2  b::g\n      1,000   25.0%       1  a::f\n"),
            "{text}"
        );
    }

    fn report(group: bool) -> String {
        let function = |(name, bytes): (&str, usize)| Function { name: name.to_owned(), bytes };
        let functions = [("a::f", 1000), ("b::g<u16>", 1400), ("b::g<u8>", 1600)].map(function).into();
        let module = Module { total: 5000, code: 4000, data: 500, custom: 300, functions };
        Size { functions: 2, group, file: None }.report(&module).unwrap()
    }
}
