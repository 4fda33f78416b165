//! The exercise figures: a start and an end position for each exercise, drawn by us, and the motion between.
//!
//! The drawings are whole SVG files beside this module (`figures/KEY-start.svg`, `figures/KEY-end.svg`), so they
//! can be opened and judged on their own. The end file holds the same shapes as the start file with `transform`
//! attributes at the joints: a limb cannot change its length between the two. `assets/css/figures.css` carries the
//! same turns for the motion, and the colours for light and dark. Nothing here uses `style`, a script or an id, so
//! a figure may stand on one page as often as it likes and under a strict Content-Security-Policy.

use crate::svg::{Svg, escape};

/// Which position of an exercise to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pose {
    /// Where the exercise begins; small arrows show where the movement goes.
    Start,
    /// Where it ends.
    End,
    /// Moving gently between the two. Without the stylesheet, on paper, and for readers who asked for less motion,
    /// start and end stand still beside each other.
    Moving,
}

struct Figure {
    key: &'static str,
    start: &'static str,
    end: &'static str,
    start_title: &'static str,
    end_title: &'static str,
    moving_title: &'static str,
}

macro_rules! figure {
    ($key:literal, $start:literal, $end:literal, $moving:literal $(,)?) => {
        Figure {
            key: $key,
            start: include_str!(concat!("figures/", $key, "-start.svg")),
            end: include_str!(concat!("figures/", $key, "-end.svg")),
            start_title: $start,
            end_title: $end,
            moving_title: $moving,
        }
    };
}

/// In the order of the first program.
const FIGURES: [Figure; 5] = [
    figure!(
        "seated-thoracic-extension",
        "Sitting upright on a chair, hands behind the head, elbows wide.",
        "Upper back arched over the backrest, chest up, hips still on the seat.",
        "Sitting with hands behind the head, arching the upper back over the backrest.",
    ),
    figure!(
        "scapular-retraction",
        "Seen from behind: sitting tall, shoulder blades apart.",
        "Seen from behind: shoulder blades squeezed together, elbows drawn back.",
        "Seen from behind: squeezing the shoulder blades together and letting go.",
    ),
    figure!(
        "cat-cow",
        "On hands and knees, the back sinking, head and chest lifted: cow.",
        "On hands and knees, the back rounded, head down: cat.",
        "On hands and knees, moving between a sinking back and a rounded one.",
    ),
    figure!(
        "wall-angels",
        "Standing with the back to a wall, upper arms level, forearms up.",
        "Standing with the back to a wall, arms slid up into a Y.",
        "Standing with the back to a wall, sliding the arms up and down.",
    ),
    figure!(
        "childs-pose-side-stretch",
        "Seen from above: kneeling back on the heels, arms stretched forward.",
        "Seen from above: hands walked to the right, the left side stretched.",
        "Seen from above: kneeling back on the heels, walking the hands to the right and back.",
    ),
];

const PLACEHOLDER: &str = include_str!("figures/placeholder.svg");

/// The keys of the exercises that have a figure, in the order of the first program.
pub fn keys() -> impl Iterator<Item = &'static str> {
    FIGURES.iter().map(|f| f.key)
}

/// The figure as an SVG element with an English description, or `None` for an exercise without a drawing
/// (then [`placeholder`] keeps the place).
#[must_use]
pub fn svg(key: &str, pose: Pose) -> Option<Svg> {
    let figure = find(key)?;
    let title = match pose {
        Pose::Start => figure.start_title,
        Pose::End => figure.end_title,
        Pose::Moving => figure.moving_title,
    };
    Some(figure.draw(pose, title))
}

/// As [`svg`], described with the caller's words (plain text; it is escaped here). An empty title says that the
/// text beside the figure already tells everything: screen readers then pass over it.
#[must_use]
pub fn svg_titled(key: &str, pose: Pose, title: &str) -> Option<Svg> {
    Some(find(key)?.draw(pose, title))
}

/// A calm figure for an exercise without a drawing: a rolled mat, which tells nothing about how it is done.
/// Screen readers pass over it.
#[must_use]
pub fn placeholder() -> Svg {
    wrap("fig fig-placeholder", "", body(PLACEHOLDER))
}

fn find(key: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|f| f.key == key)
}

impl Figure {
    fn draw(&self, pose: Pose, title: &str) -> Svg {
        let (start, end) = (body(self.start), body(self.end));
        match pose {
            Pose::Start => wrap("fig fig-start", title, start),
            Pose::End => wrap("fig fig-end", title, end),
            // `display` is an attribute so that the stills win wherever the stylesheet is missing.
            Pose::Moving => wrap(
                "fig fig-moving",
                title,
                &format!(
                    "<g class=\"fig-still\"><g transform=\"translate(0 22.5) scale(.5)\">{start}</g>\
                     <g transform=\"translate(60 22.5) scale(.5)\">{end}</g></g>\
                     <g class=\"fig-move\" display=\"none\">{start}</g>"
                ),
            ),
        }
    }
}

/// What stands inside the outermost element of one of our files.
fn body(file: &'static str) -> &'static str {
    file.split_once('>').and_then(|(_, rest)| rest.rsplit_once("</svg>")).map_or("", |(inside, _)| inside)
}

fn wrap(class: &str, title: &str, inside: &str) -> Svg {
    let name =
        if title.is_empty() { "aria-hidden=\"true\"".to_owned() } else { format!("role=\"img\" aria-label=\"{}\"", escape(title)) };
    Svg::drawn(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 120 90\" class=\"{class}\" {name} \
         focusable=\"false\">{inside}</svg>"
    ))
}

#[cfg(test)]
mod tests;
