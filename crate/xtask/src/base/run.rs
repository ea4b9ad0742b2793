//! Programs that are run, and what is said about them.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::workspace;

pub fn say(what: impl AsRef<str>) {
    eprintln!("» {}", what.as_ref());
}

/// A program with its arguments, to be run in the workspace's folder.
pub fn program(name: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(workspace::root()).stdin(Stdio::null());
    command
}

pub fn cargo(arguments: &[&str]) -> Command {
    program("cargo", arguments)
}

/// A script of the npm workspace in that folder.
pub fn npm_script(script: &str, folder: &str) -> Command {
    program("npm", &["run", "--silent", script, "--workspace", folder])
}

/// Runs a tool. What it prints is about the work, like what [`say`] says, so it goes to standard error:
/// on standard output there is what was asked for, and nothing else.
pub fn run(command: &mut Command) -> Result<()> {
    show(command.stdout(io::stderr()))
}

/// Runs a program whose standard output is what was asked for.
pub fn show(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs it with its standard output shown as it comes, and gives that back as well.
pub fn run_and_read(command: &mut Command) -> Result<String> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("can't start `{}`", line(command)))?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let mut text = String::new();
    for read in BufReader::new(stdout).lines() {
        let read = read?;
        println!("{read}");
        text.push_str(&read);
        text.push('\n');
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(text)
}

/// Runs it for its standard output alone.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("can't start `{}`", line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
