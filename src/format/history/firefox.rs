//! The databases of Firefox and its relatives.

use super::database::{Latest, Product, TABLE, Table};
use super::epoch::Epoch;
use super::row::Role;

/// `places.sqlite`: history and bookmarks. A place that was never visited and is a bookmark is no history.
pub const PLACES: Product = Product {
    format: "firefox-places",
    marks: &["moz_places"],
    tables: &[
        Table {
            format: "firefox-places",
            aliases: &[("p", "moz_places")],
            from: "moz_places p",
            row: "p.id",
            time: Some(("p.last_visit_date", Epoch::Unix)),
            latest: Some(Latest {
                table: "moz_historyvisits",
                key: "place_id",
                time: "visit_date",
                epoch: Epoch::Unix,
            }),
            columns: &[
                (Role::Url, "p.url"),
                (Role::Title, "p.title"),
                (Role::Text, "p.description"),
                (Role::Url, "p.preview_image_url"),
            ],
            filter: Some((
                "(p.last_visit_date IS NOT NULL OR p.id NOT IN (SELECT fk FROM moz_bookmarks WHERE fk IS NOT NULL))",
                &["p.id", "p.last_visit_date", "moz_bookmarks.fk"],
            )),
        },
        Table {
            format: "firefox-bookmarks",
            aliases: &[("b", "moz_bookmarks"), ("p", "moz_places")],
            from: "moz_bookmarks b JOIN moz_places p ON p.id = b.fk",
            row: "p.id",
            time: Some(("b.dateAdded", Epoch::Unix)),
            columns: &[(Role::Url, "p.url"), (Role::Title, "b.title")],
            ..TABLE
        },
        Table {
            format: "firefox-places",
            aliases: &[("a", "moz_annos")],
            from: "moz_annos a",
            row: "a.place_id",
            time: Some(("a.dateAdded", Epoch::Unix)),
            columns: &[(Role::Text, "a.content")],
            ..TABLE
        },
        Table {
            format: "firefox-bookmarks",
            aliases: &[("a", "moz_items_annos")],
            from: "moz_items_annos a",
            row: "a.item_id",
            time: Some(("a.dateAdded", Epoch::Unix)),
            columns: &[(Role::Text, "a.content")],
            ..TABLE
        },
        Table {
            format: "firefox-places",
            aliases: &[("i", "moz_inputhistory")],
            from: "moz_inputhistory i",
            row: "i.place_id",
            columns: &[(Role::Text, "i.input")],
            ..TABLE
        },
        Table {
            format: "firefox-bookmarks",
            aliases: &[("k", "moz_keywords")],
            from: "moz_keywords k",
            row: "k.place_id",
            columns: &[(Role::Text, "k.post_data")],
            ..TABLE
        },
        Table {
            format: "firefox-places",
            aliases: &[("q", "moz_places_metadata_search_queries")],
            from: "moz_places_metadata_search_queries q",
            row: "q.id",
            columns: &[(Role::Text, "q.terms")],
            ..TABLE
        },
    ],
};

/// `favicons.sqlite`.
pub const FAVICONS: Product = Product {
    format: "firefox-favicons",
    marks: &["moz_icons", "moz_pages_w_icons"],
    tables: &[
        Table {
            format: "firefox-favicons",
            aliases: &[("p", "moz_pages_w_icons")],
            from: "moz_pages_w_icons p",
            row: "p.id",
            columns: &[(Role::Url, "p.page_url")],
            ..TABLE
        },
        Table {
            format: "firefox-favicons",
            aliases: &[("i", "moz_icons")],
            from: "moz_icons i",
            row: "i.id",
            columns: &[(Role::Url, "i.icon_url")],
            ..TABLE
        },
    ],
};
