//! Safari's `History.db`.

use super::database::{Latest, Product, TABLE, Table};
use super::epoch::Epoch;
use super::row::Role;

/// `History.db`. Titles belong to visits and change from one to the next; addresses that were deleted stay as
/// tombstones.
pub const HISTORY: Product = Product {
    format: "safari-history",
    marks: &["history_items", "history_visits"],
    tables: &[
        Table {
            format: "safari-history",
            aliases: &[("i", "history_items")],
            from: "history_items i",
            row: "i.id",
            latest: Some(Latest {
                table: "history_visits",
                key: "history_item",
                time: "visit_time",
                epoch: Epoch::Cocoa,
            }),
            columns: &[(Role::Url, "i.url")],
            ..TABLE
        },
        Table {
            format: "safari-history",
            aliases: &[("v", "history_visits")],
            from: "history_visits v",
            row: "v.history_item",
            time: Some(("v.visit_time", Epoch::Cocoa)),
            columns: &[(Role::Title, "v.title")],
            ..TABLE
        },
        Table {
            format: "safari-history",
            aliases: &[("t", "history_tombstones")],
            from: "history_tombstones t",
            row: "t.id",
            time: Some(("t.end_time", Epoch::Cocoa)),
            columns: &[(Role::Url, "t.url")],
            ..TABLE
        },
    ],
};
