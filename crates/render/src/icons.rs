//! Line drawings on a 24 × 24 grid, stroke 2, round ends. To add one, add a line.

/// The inside of the drawing called `name`, or `None`.
pub(crate) fn paths(name: &str) -> Option<&'static str> {
    Some(match name {
        "check" => r#"<path d="M5 12l5 5 9-10"/>"#,
        "close" => r#"<path d="M6 6l12 12M18 6L6 18"/>"#,
        "plus" => r#"<path d="M12 5v14M5 12h14"/>"#,
        "minus" => r#"<path d="M5 12h14"/>"#,
        "up" => r#"<path d="M12 19V6M6 11l6-6 6 6"/>"#,
        "down" => r#"<path d="M12 5v13M6 13l6 6 6-6"/>"#,
        "left" => r#"<path d="M15 5l-7 7 7 7"/>"#,
        "right" => r#"<path d="M9 5l7 7-7 7"/>"#,
        "chevron" => r#"<path d="M6 9l6 6 6-6"/>"#,
        "progress" => r#"<path d="M4 18l5-6 4 3 7-9"/>"#,
        "bell" => r#"<path d="M6 16V11a6 6 0 0112 0v5l2 2H4zM10 21h4"/>"#,
        "person" => r#"<circle cx="12" cy="8" r="4"/><path d="M4 21c1-5 15-5 16 0"/>"#,
        "people" => {
            r#"<circle cx="9" cy="8" r="3.5"/><path d="M2.5 20c.8-5 12.2-5 13 0M16 5a3.5 3.5 0 010 6.6M18 15.5c2 .5 3.3 2 3.5 4.5"/>"#
        }
        "warning" => r#"<path d="M12 4L2.5 20h19zM12 10v4M12 17v.01"/>"#,
        "stop" => r#"<path d="M8 3h8l5 5v8l-5 5H8l-5-5V8zM12 8v5M12 16v.01"/>"#,
        "info" => r#"<circle cx="12" cy="12" r="9"/><path d="M12 11v5M12 8v.01"/>"#,
        "search" => r#"<circle cx="10.5" cy="10.5" r="6.5"/><path d="M15.5 15.5L21 21"/>"#,
        "calendar" => r#"<path d="M4 6h16v14H4zM4 10h16M8 3v4M16 3v4"/>"#,
        "clock" => r#"<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>"#,
        "mail" => r#"<path d="M3 6h18v13H3zM3 7l9 7 9-7"/>"#,
        "message" => r#"<path d="M4 5h16v11H10l-5 4v-4H4z"/>"#,
        "phone" => r#"<path d="M5 4h4l2 5-3 2a12 12 0 005 5l2-3 5 2v4c0 1-1 2-2 2C10 20 4 13 3 6c0-1 1-2 2-2z"/>"#,
        "print" => r#"<path d="M7 9V3h10v6M7 17H4v-8h16v8h-3M7 14h10v7H7z"/>"#,
        "download" => r#"<path d="M12 4v11M7 11l5 5 5-5M4 20h16"/>"#,
        "pause" => r#"<path d="M8 5v14M16 5v14"/>"#,
        "play" => r#"<path d="M7 4l13 8-13 8z"/>"#,
        "edit" => r#"<path d="M4 20l1-5L16 4l4 4L9 19zM13 7l4 4"/>"#,
        "trash" => r#"<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v6M14 11v6"/>"#,
        "lock" => r#"<path d="M5 11h14v10H5zM8 11V8a4 4 0 018 0v3"/>"#,
        "out" => r#"<path d="M10 4H4v16h6M14 8l5 4-5 4M19 12H9"/>"#,
        "settings" => r#"<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>"#,
        "offline" => r#"<path d="M3 3l18 18M5 12a10 10 0 014-2.4M12 8a11 11 0 018 4M8.5 15.5a5 5 0 014-1.4M12 19v.01"/>"#,
        "grip" => r#"<path d="M9 6v.01M15 6v.01M9 12v.01M15 12v.01M9 18v.01M15 18v.01"/>"#,
        "eye" => r#"<path d="M2 12c5-8 15-8 20 0-5 8-15 8-20 0z"/><circle cx="12" cy="12" r="3"/>"#,
        "copy" => r#"<path d="M9 9h11v11H9zM15 9V4H4v11h5"/>"#,
        "home" => r#"<path d="M4 11l8-7 8 7v9h-5v-6H9v6H4z"/>"#,
        _ => return None,
    })
}
