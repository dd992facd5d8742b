//! The databases of Chromium and its relatives (Chrome, Edge, Brave, Opera, Vivaldi).

use super::database::{Latest, Product, TABLE, Table};
use super::epoch::Epoch;
use super::row::Role;

/// `History`, `Archived History`.
pub const HISTORY: Product = Product {
    format: "chromium-history",
    marks: &["urls", "visits"],
    tables: &[
        Table {
            format: "chromium-history",
            aliases: &[("u", "urls")],
            from: "urls u",
            row: "u.id",
            time: Some(("u.last_visit_time", Epoch::Webkit)),
            latest: Some(Latest {
                table: "visits",
                key: "url",
                time: "visit_time",
                epoch: Epoch::Webkit,
            }),
            columns: &[(Role::Url, "u.url"), (Role::Title, "u.title")],
            ..TABLE
        },
        Table {
            format: "chromium-history",
            aliases: &[("v", "visits")],
            from: "visits v",
            row: "v.url",
            time: Some(("v.visit_time", Epoch::Webkit)),
            columns: &[(Role::Referer, "v.external_referrer_url")],
            filter: Some(("v.external_referrer_url <> ''", &["v.external_referrer_url"])),
            ..TABLE
        },
        Table {
            format: "chromium-history",
            aliases: &[("k", "keyword_search_terms")],
            from: "keyword_search_terms k",
            row: "k.url_id",
            columns: &[(Role::Text, "k.term")],
            ..TABLE
        },
        Table {
            format: "chromium-history",
            aliases: &[("d", "downloads")],
            from: "downloads d",
            row: "d.id",
            // Before version 26 of the schema in seconds since 1970.
            time: Some(("d.start_time", Epoch::Any)),
            columns: &[
                (Role::Url, "d.url"),
                (Role::Url, "d.tab_url"),
                (Role::Url, "d.site_url"),
                (Role::Referer, "d.referrer"),
                (Role::Referer, "d.tab_referrer_url"),
            ],
            ..TABLE
        },
        Table {
            aliases: &[("c", "downloads_url_chains")],
            from: "downloads_url_chains c",
            columns: &[(Role::Url, "c.url")],
            filter: Some(("c.chain_index = 0", &["c.chain_index"])),
            ..CHAIN
        },
        Table {
            aliases: &[("c", "downloads_url_chains")],
            from: "downloads_url_chains c",
            columns: &[(Role::Location, "c.url")],
            filter: Some(("c.chain_index > 0", &["c.chain_index"])),
            ..CHAIN
        },
        Table {
            format: "chromium-history",
            aliases: &[("l", "visited_links")],
            from: "visited_links l",
            row: "l.link_url_id",
            columns: &[(Role::Url, "l.top_level_url"), (Role::Url, "l.frame_url")],
            ..TABLE
        },
    ],
};

/// A download's redirects: the first address was asked for, the others are where it led.
const CHAIN: Table = Table {
    format: "chromium-history",
    row: "c.id",
    latest: Some(Latest {
        table: "downloads",
        key: "id",
        time: "start_time",
        epoch: Epoch::Any,
    }),
    ..TABLE
};

/// `Favicons`: the pages that have an icon, which outlive the history's entries.
pub const FAVICONS: Product = Product {
    format: "chromium-favicons",
    marks: &["icon_mapping"],
    tables: &[
        Table {
            format: "chromium-favicons",
            aliases: &[("m", "icon_mapping")],
            from: "icon_mapping m",
            row: "m.id",
            columns: &[(Role::Url, "m.page_url")],
            ..TABLE
        },
        Table {
            format: "chromium-favicons",
            aliases: &[("f", "favicons")],
            from: "favicons f",
            row: "f.id",
            columns: &[(Role::Url, "f.url")],
            ..TABLE
        },
    ],
};

/// `Top Sites`.
pub const TOP_SITES: Product = Product {
    format: "chromium-top-sites",
    marks: &["top_sites"],
    tables: &[Table {
        format: "chromium-top-sites",
        aliases: &[("t", "top_sites")],
        from: "top_sites t",
        columns: &[(Role::Url, "t.url"), (Role::Title, "t.title")],
        ..TABLE
    }],
};

/// `Top Sites` of versions before 2020: with the addresses that redirect to a site, blanks between them.
pub const THUMBNAILS: Product = Product {
    format: "chromium-top-sites",
    marks: &["thumbnails"],
    tables: &[Table {
        format: "chromium-top-sites",
        aliases: &[("t", "thumbnails")],
        from: "thumbnails t",
        columns: &[
            (Role::Url, "t.url"),
            (Role::Title, "t.title"),
            (Role::Text, "t.redirects"),
        ],
        ..TABLE
    }],
};

/// `Shortcuts`: what was typed into the address bar and what was chosen.
pub const SHORTCUTS: Product = Product {
    format: "chromium-shortcuts",
    marks: &["omni_box_shortcuts"],
    tables: &[Table {
        format: "chromium-shortcuts",
        aliases: &[("s", "omni_box_shortcuts")],
        from: "omni_box_shortcuts s",
        time: Some(("s.last_access_time", Epoch::Webkit)),
        columns: &[
            (Role::Url, "s.url"),
            (Role::Url, "s.fill_into_edit"),
            (Role::Text, "s.text"),
            (Role::Title, "s.description"),
        ],
        ..TABLE
    }],
};

/// `Network Action Predictor`: the same for what the browser guesses.
pub const PREDICTOR: Product = Product {
    format: "chromium-predictor",
    marks: &["network_action_predictor"],
    tables: &[Table {
        format: "chromium-predictor",
        aliases: &[("n", "network_action_predictor")],
        from: "network_action_predictor n",
        columns: &[(Role::Url, "n.url"), (Role::Text, "n.user_text")],
        ..TABLE
    }],
};
