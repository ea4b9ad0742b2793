//! Makes a new database out of a damaged one: with the spaces that can be read in whole, and without
//! the others. A part of a space would be worse than none, because its log would say that all is there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use super::place::{OpenError, Place};
use super::schema::{SCHEMA, SpaceId, space_name};

/// What became of the spaces of a database.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Names of those that are in the new database.
    pub kept: Vec<String>,
    /// Names of those that can't be read, and why.
    pub unreadable: Vec<(String, String)>,
    /// Names of those that were to be left out.
    pub left_out: Vec<String>,
    /// Where the old database is now.
    pub old: PathBuf,
}

/// Rebuilds the database if a page is damaged, or if it has one of the spaces to be left out. None if
/// there is nothing to be done.
///
/// # Errors
/// The list of its spaces can't be read, or the new database can't be written.
pub fn rebuild(path: &Path, place: Place, leave_out: &[String]) -> Result<Option<Rebuilt>, OpenError> {
    let old = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    place.check(&old)?;
    let spaces: Vec<(SpaceId, String)> = old
        .prepare("SELECT id, name FROM space ORDER BY name")?
        .query_map([], |row| Ok((row.get(0)?, space_name(row.get(1)?))))?
        .collect::<Result<_, _>>()?;
    let is_wanted = |name: &String| !leave_out.contains(name);
    let is_sound = old.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    if is_sound.is_ok_and(|found| found == "ok") && spaces.iter().all(|(_, name)| is_wanted(name)) {
        return Ok(None);
    }
    let [unfinished, damaged] =
        ["unfinished", "damaged"].map(|ending| with_ending(path, &format!(".{ending}")));
    if damaged.exists() {
        let reason = format!("{} is in the way; move it elsewhere", damaged.display());
        return Err(io::Error::other(reason).into());
    }
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut new = Connection::open(&unfinished)?;
    new.pragma_update(None, "synchronous", "FULL")?;
    place.claim(&new)?;
    new.execute_batch(SCHEMA)?;
    let mut rebuilt = Rebuilt { old: damaged, ..Rebuilt::default() };
    for (id, name) in spaces {
        if !is_wanted(&name) {
            rebuilt.left_out.push(name);
            continue;
        }
        match copy(&old, id, &name, &mut new)? {
            Ok(()) => rebuilt.kept.push(name),
            Err(reason) => rebuilt.unreadable.push((name, reason.to_string())),
        }
    }
    drop((old, new));
    for ending in ["-wal", "-shm", ""] {
        match fs::rename(with_ending(path, ending), with_ending(&rebuilt.old, ending)) {
            Err(error) if !ending.is_empty() && error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    fs::rename(&unfinished, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(Some(rebuilt))
}

/// Copies a space, or nothing of it and says why it can't be read. Other regions may lack what it has.
fn copy(
    old: &Connection,
    id: SpaceId,
    name: &str,
    new: &mut Connection,
) -> rusqlite::Result<rusqlite::Result<()>> {
    let transaction = new.transaction()?;
    transaction
        .execute("INSERT INTO space (id, name, unsettled) VALUES (?, ?, 1)", params![id, name.as_bytes()])?;
    let mut put = transaction.prepare("INSERT INTO kv (space, k, v) VALUES (?, ?, ?)")?;
    let mut select = old.prepare("SELECT k, v FROM kv WHERE space = ? ORDER BY k")?;
    let mut rows = select.query([id])?;
    loop {
        let row = rows.next().and_then(|row| {
            row.map(|row| Ok::<(Vec<u8>, Vec<u8>), _>((row.get(0)?, row.get(1)?))).transpose()
        });
        match row {
            Ok(Some((key, value))) => drop(put.execute(params![id, key, value])?),
            Ok(None) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    drop(put);
    transaction.commit().map(Ok)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
