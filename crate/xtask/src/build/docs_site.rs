//! The documentation as a site that any web host can serve.

use anyhow::Result;

use crate::base::run::{npm_script, run};
use crate::base::setup;

/// Fails on a link that leads nowhere.
pub fn build() -> Result<()> {
    setup::npm()?;
    run(&mut npm_script("build", "docs"))
}
