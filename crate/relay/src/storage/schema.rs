//! Tables of a shard's database, and how rows are read.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// `space.unsettled` is 1 while the space may hold commits that another region lacks.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS space (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE,
        unsettled INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX IF NOT EXISTS unsettled ON space (unsettled) WHERE unsettled;
    CREATE TABLE IF NOT EXISTS kv (space INTEGER NOT NULL, k BLOB NOT NULL, v BLOB NOT NULL,
        PRIMARY KEY (space, k)) WITHOUT ROWID;
";

/// Number of a space in its database (`space.id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceId(pub(super) i64);

impl ToSql for SpaceId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for SpaceId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// The name of a space. Stored as bytes, because how SQLite compares text depends on its settings.
pub(super) fn space_name(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
