//! The files in `js/wasm`: compiled, bound to JavaScript, made small.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::base::run::{cargo, program, run, say};
use crate::base::{setup, workspace};

/// Everything that is compiled to Wasm: the client's file, and that of `eyot/cloudflare`.
pub const MODULES: &[Module] = &[
    Module { package: "eyot-web-replica", name: "eyot_web_replica" },
    Module { package: "eyot-web-relay", name: "eyot_web_relay" },
];

pub struct Module {
    package: &'static str,
    /// Of the compiled file, and of its bindings in `js/wasm`.
    pub name: &'static str,
}

/// The first level: those above inline, which gzip can't take back and which makes nothing measurably faster.
/// Features by name: all of them would choose an encoding of imports that engines refuse.
const WASM_OPT: &[&str] = &[
    "-O1",
    // Puts the instantiations of one generic function next to each other, where gzip finds what they share.
    "--reorder-functions-by-name",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-call-indirect-overlong",
];

pub fn build() -> Result<()> {
    setup::npm()?;
    let _one_at_a_time = setup::lock("wasm")?;

    let mut compiled = Vec::new();
    for module in MODULES {
        compiled.push((module.name, read(&module.compile()?)?));
    }
    let folder = workspace::root().join("js/wasm");
    let stamp = folder.join(".made-from");
    let made_from = made_from(&compiled)?;
    if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == made_from) {
        return Ok(());
    }
    // Made aside, so that an interrupted or failing step leaves what was there; the stamp comes last.
    let aside = workspace::target().join("wasm-bindings");
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    for (name, bytes) in compiled {
        bind(name, bytes, &aside)?;
        shrink(&aside.join(format!("{name}_bg.wasm")))?;
    }
    fs::create_dir_all(&folder)?;
    for made in fs::read_dir(&aside)? {
        let made = made?;
        fs::copy(made.path(), folder.join(made.file_name()))?;
    }
    Ok(fs::write(stamp, made_from)?)
}

impl Module {
    /// Returns the file as the compiler leaves it. It has the names of functions, which the binding step removes.
    pub fn compile(&self) -> Result<PathBuf> {
        setup::wasm_target()?;
        say(format!("compiling {} to Wasm", self.package));
        let package = ["build", "--quiet", "--locked", "--package", self.package];
        let profile = ["--profile", "wasm", "--target", "wasm32-unknown-unknown"];
        run(cargo(&[&package[..], &profile].concat()).env("CARGO_ENCODED_RUSTFLAGS", remap_registry()?))?;
        Ok(workspace::target().join(format!("wasm32-unknown-unknown/wasm/{}.wasm", self.name)))
    }
}

/// Makes the compiler leave out where this machine keeps the sources of crates: panics name their file, so the Wasm holds a
/// path for each file.
fn remap_registry() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("cargo has no home")?;
    let mut flags = Vec::new();
    for registry in fs::read_dir(home.join("registry/src")).into_iter().flatten() {
        flags.push(format!("--remap-path-prefix={}/=", registry?.path().display()));
    }
    Ok(flags.join("\x1f"))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}

fn bind(name: &str, bytes: Vec<u8>, folder: &Path) -> Result<()> {
    let started = Instant::now();
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes(name, bytes)
        .web(true)?
        .typescript(true)
        // The package finds the file itself, in each environment by that environment's way.
        .omit_default_module_path(true)
        // After a panic the package goes on with a fresh instance.
        .reset_state_function(true)
        // `wasm-opt` needs the names, and removes them.
        .remove_name_section(false)
        .remove_producers_section(true);
    let mut output = bindgen.generate_output()?;
    // C code, and Rust that believes it has an operating system, import from `env`: no browser can give it that.
    let foreign: Vec<_> = output
        .wasm()
        .imports
        .iter()
        .filter(|import| import.module == "env")
        .map(|import| &import.name)
        .collect();
    if !foreign.is_empty() {
        bail!("the Wasm module imports from `env`: {foreign:?}");
    }
    output.emit(folder)?;
    let glue = folder.join(format!("{name}.js"));
    quiet_the_dead(&glue)?;
    watch_exports(&glue)?;
    say(format!("bound it to JavaScript in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// Timers and sockets of an instance that has failed go on calling its closures. Nobody needs these calls, and what the
/// generated code throws would end a Node process that uses a fresh instance by then.
fn quiet_the_dead(glue: &Path) -> Result<()> {
    const THROWS: &str = "throw new Error('Cannot invoke closure from previous WASM instance');";
    let text = fs::read_to_string(glue)?;
    let has_closures =
        ["function makeClosure(", "function makeMutClosure("].iter().any(|make| text.contains(make));
    if !has_closures {
        return Ok(());
    }
    if !text.contains(THROWS) {
        bail!("wasm-bindgen's code for calls of a previous instance has changed");
    }
    Ok(fs::write(glue, text.replace(THROWS, "return;"))?)
}

/// Whatever is thrown out of the Wasm, by a trap or a panic, makes its instance unusable, also where a timer or a socket has
/// called it. So each call of an export goes through one function, which sees that and calls the instance no more.
fn watch_exports(glue: &Path) -> Result<()> {
    const TAKES: [&str; 2] = ["wasm = wasmInstance.exports;", "wasm = instance.exports;"];
    let mut text = fs::read_to_string(glue)?;
    for takes in TAKES {
        if text.matches(takes).count() != 1 {
            bail!("wasm-bindgen's code that takes the exports has changed");
        }
        text = text.replace(takes, &takes.replace("= ", "= watched(").replace(';', ");"));
    }
    if text.contains("makeMutClosure") && !text.contains("wasm.wasm_bindgen__convert__closures") {
        bail!("wasm-bindgen's names of closures have changed");
    }
    text.push_str(include_str!("watched.js"));
    fs::write(glue, text)?;
    let types = glue.with_extension("d.ts");
    let declared = fs::read_to_string(&types)? + include_str!("watched.d.ts");
    Ok(fs::write(types, declared)?)
}

fn shrink(wasm: &Path) -> Result<()> {
    let started = Instant::now();
    let before = fs::metadata(wasm)?.len();
    let mut wasm_opt = program("node", &["node_modules/binaryen/bin/wasm-opt"]);
    run(wasm_opt.args(WASM_OPT).args([wasm.as_os_str(), OsStr::new("--output"), wasm.as_os_str()]))?;
    let (after, took) = (fs::metadata(wasm)?.len(), started.elapsed().as_secs_f64());
    say(format!("wasm-opt: {} kB to {} kB in {took:.1} s", before / 1000, after / 1000));
    Ok(())
}

/// Names everything that decides what comes out.
fn made_from(compiled: &[(&str, Vec<u8>)]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    compiled.hash(&mut hasher);
    fs::read(workspace::root().join("node_modules/binaryen/package.json"))?.hash(&mut hasher);
    for source in [include_str!("wasm.rs"), include_str!("watched.js"), include_str!("watched.d.ts")] {
        source.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}
