//! The database in which macOS notes where downloaded files came from.

use super::database::{Product, TABLE, Table};
use super::epoch::Epoch;
use super::row::Role;

/// `com.apple.LaunchServices.QuarantineEventsV2`.
pub const EVENTS: Product = Product {
    format: "macos-quarantine",
    marks: &["lsquarantineevent"],
    tables: &[Table {
        format: "macos-quarantine",
        aliases: &[("e", "lsquarantineevent")],
        from: "lsquarantineevent e",
        time: Some(("e.LSQuarantineTimeStamp", Epoch::Cocoa)),
        columns: &[
            (Role::Url, "e.LSQuarantineDataURLString"),
            (Role::Referer, "e.LSQuarantineOriginURLString"),
            (Role::Title, "e.LSQuarantineOriginTitle"),
            (Role::Text, "e.LSQuarantineSenderName"),
        ],
        ..TABLE
    }],
};
