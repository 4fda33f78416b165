use super::*;

const CSS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/assets/css/figures.css"));

const POSES: [Pose; 3] = [Pose::Start, Pose::End, Pose::Moving];

fn all() -> Vec<(String, String)> {
    let mut all: Vec<_> = keys()
        .flat_map(|key| {
            POSES.map(|pose| {
                let svg = svg(key, pose).unwrap_or_else(|| panic!("{key} has no {pose:?}"));
                (format!("{key} {pose:?}"), svg.as_str().to_owned())
            })
        })
        .collect();
    all.push(("placeholder".into(), placeholder().as_str().to_owned()));
    all
}

/// The tags of an SVG in order, without their angle brackets; panics when one is left open.
fn tags(svg: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = svg;
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "a stray > in {text:?}");
        let (tag, after) = after.split_once('>').expect("an open tag is closed");
        tags.push(tag);
        rest = after;
    }
    tags
}

#[test]
fn there_are_five_figures_and_no_sixth() {
    assert_eq!(
        keys().collect::<Vec<_>>(),
        ["seated-thoracic-extension", "scapular-retraction", "cat-cow", "wall-angels", "childs-pose-side-stretch"]
    );
    assert_eq!(svg("handstand", Pose::Start), None);
    assert_eq!(svg_titled("handstand", Pose::Start, "x"), None);
}

#[test]
fn the_three_poses_of_an_exercise_differ() {
    for key in keys() {
        let [start, end, moving] = POSES.map(|p| svg_titled(key, p, "x").unwrap().as_str().to_owned());
        assert_ne!(body_of(&start), body_of(&end), "{key}");
        assert!(moving.contains("fig-still") && moving.contains("fig-move"), "{key}");
        assert!(moving.contains(body_of(&start)) && moving.contains(body_of(&end)), "{key}");
    }
}

fn body_of(svg: &str) -> &str {
    svg.split_once('>').unwrap().1.strip_suffix("</svg>").unwrap()
}

#[test]
fn every_figure_is_well_formed() {
    for (name, svg) in all() {
        let mut open = Vec::new();
        for tag in tags(&svg) {
            if let Some(closing) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closing), "{name}");
            } else {
                assert_eq!(tag.matches('"').count() % 2, 0, "{name}: {tag}");
                if !tag.ends_with('/') {
                    open.push(tag.split(' ').next().unwrap());
                }
            }
        }
        assert!(open.is_empty(), "{name} leaves {open:?} open");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"), "{name}");
    }
}

#[test]
fn a_figure_needs_no_style_no_script_no_id_and_little_room() {
    for (name, svg) in all() {
        for forbidden in ["style", "<script", " id=", "href", "NaN", "url(", "<!--"] {
            assert!(!svg.contains(forbidden), "{name} contains {forbidden}");
        }
        let limit = if name.ends_with("Moving") { 10_000 } else { 3_700 };
        assert!(svg.len() < limit, "{name} has {} bytes", svg.len());
    }
}

#[test]
fn a_figure_is_named_or_hidden_from_screen_readers() {
    let named = svg_titled("cat-cow", Pose::End, "Kucing \"&\" <lembu>").unwrap();
    let named = named.as_str();
    assert!(named.contains("role=\"img\" aria-label=\"Kucing &quot;&amp;&quot; &lt;lembu&gt;\""));
    let hidden = svg_titled("cat-cow", Pose::End, "").unwrap();
    let hidden = hidden.as_str();
    assert!(hidden.contains("aria-hidden=\"true\"") && !hidden.contains("role="));
    for key in keys() {
        assert!(svg(key, Pose::Moving).unwrap().as_str().contains("aria-label=\""), "{key}");
    }
}

/// The end pose is the start pose turned at its joints: the very same shapes, so no limb grows or shrinks.
#[test]
fn no_limb_changes_its_shape_between_the_poses() {
    for figure in &FIGURES {
        let shapes = |file: &'static str| -> Vec<&str> {
            tags(file).into_iter().filter(|t| t.starts_with("path d=") || t.starts_with("ellipse ")).collect()
        };
        assert!(shapes(figure.start).len() > 6, "{}", figure.key);
        assert_eq!(shapes(figure.start), shapes(figure.end), "{}", figure.key);
    }
}

/// Start, end and stylesheet tell the same joints: the n-th joint of the start file carries a class, the n-th of
/// the end file the turn, and the class's rule in the stylesheet that same turn about that same point.
#[test]
fn the_motion_ends_exactly_in_the_end_pose() {
    for figure in &FIGURES {
        let joints: Vec<_> =
            tags(figure.start).into_iter().filter_map(|t| t.strip_prefix("g class=\"fig-j ")?.strip_suffix('"')).collect();
        let turns: Vec<_> = tags(figure.end)
            .into_iter()
            .filter_map(|t| t.strip_prefix("g transform=\"")?.strip_suffix('"').filter(|t| t.contains("rotate(")))
            .collect();
        assert!(!joints.is_empty(), "{} does not move", figure.key);
        assert_eq!(joints.len(), turns.len(), "{}", figure.key);
        for (joint, turn) in joints.into_iter().zip(turns) {
            let rule = CSS
                .lines()
                .find_map(|l| l.trim_start().strip_prefix(&format!(".{joint} {{ ")))
                .unwrap_or_else(|| panic!("no rule for {joint}"));
            assert_eq!(in_attribute(rule), turn, "{joint} of {}", figure.key);
        }
    }
}

/// A joint's rule, written as the `transform` attribute it stands for.
fn in_attribute(rule: &str) -> String {
    let value = |name: &str, unit: &str| {
        let (_, rest) = rule.split_once(&format!("{name}: "))?;
        Some(rest.split_once(';')?.0.replace(unit, ""))
    };
    let origin = value("transform-origin", "px").expect("every joint has its point");
    let shift = value("--fig-x", "px").zip(value("--fig-y", "px")).map(|(x, y)| format!("translate({x} {y})"));
    let turn = value("--fig-turn", "deg").map(|turn| format!("rotate({turn} {origin})"));
    [shift, turn].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
