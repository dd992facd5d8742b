//! Browser history and bookmarks: the databases of browsers, and the documents that they keep and export. One
//! file for each family; the records of all are made in `row`.

mod chromium;
pub mod database;
mod epoch;
mod firefox;
mod quarantine;
mod row;
mod safari;
mod sqlite;
