//! One relay on `workerd`.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::base::run::{line, program};
use crate::build::package;

pub struct Relay {
    pub region: String,
    pub port: u16,
    pub data: PathBuf,
}

impl Relay {
    /// Serves in the foreground: this process becomes the relay.
    pub fn serve(&self) -> Result<()> {
        package::build()?;
        let mut command = self.command();
        let error = command.exec();
        Err(error).with_context(|| format!("can't start `{}`", line(&command)))
    }

    fn command(&self) -> Command {
        let mut command = program("node", &["worker/serve.mjs", "--region", &self.region]);
        command.args(["--port", &self.port.to_string()]).arg("--data").arg(&self.data);
        command
    }
}
