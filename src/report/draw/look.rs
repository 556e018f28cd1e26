//! Colours, dashes and markers: one look for each role, the same in all figures and in all ways of drawing them.
//!
//! The colours are those of Okabe and Ito (2008), which stay apart for all kinds of colour vision, on white and on black;
//! dashes and markers tell the rungs apart without any colour.

use crate::report::figures::Role;

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Black on white, white on black.
    Ink,
    /// Red, green, blue.
    Of(u8, u8, u8),
}

/// A marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// ●
    Circle,
    /// ■
    Square,
    /// ◆
    Diamond,
    /// ▲
    Up,
    /// ▼
    Down,
    /// A pentagon.
    Pentagon,
    /// ✕
    Cross,
    /// ★
    Star,
}

/// How a role is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colour of lines, markers and areas.
    pub colour: Colour,
    /// Opacity of lines.
    pub opacity: f64,
    /// Opacity of areas.
    pub area: f64,
    /// Lengths of dashes and gaps.
    pub dash: &'static [u8],
    /// Line width.
    pub width: f64,
    /// Marker.
    pub marker: Marker,
}

const COLOURS: [Colour; 8] = [
    Colour::Of(0, 114, 178),
    Colour::Of(230, 159, 0),
    Colour::Of(0, 158, 115),
    Colour::Of(213, 94, 0),
    Colour::Of(86, 180, 233),
    Colour::Of(153, 153, 51),
    Colour::Of(136, 136, 136),
    Colour::Of(140, 81, 10),
];
const DASHES: [&[u8]; 6] = [
    &[],
    &[7, 2],
    &[3, 2],
    &[7, 2, 2, 2],
    &[10, 3, 2, 3, 2, 3],
    &[1, 2],
];
const MARKERS: [Marker; 6] = [
    Marker::Circle,
    Marker::Square,
    Marker::Diamond,
    Marker::Up,
    Marker::Down,
    Marker::Pentagon,
];

/// The look of a role. Colours and dashes have different periods, so that even many rungs differ.
pub fn look(role: Role) -> Look {
    let ink = Look {
        colour: Colour::Ink,
        opacity: 1.0,
        area: 0.15,
        dash: &[],
        width: 1.0,
        marker: Marker::Cross,
    };
    match role {
        Role::Rung(i) => Look {
            colour: COLOURS[i % COLOURS.len()],
            area: 0.25,
            dash: DASHES[i % DASHES.len()],
            width: 1.3,
            marker: MARKERS[i % MARKERS.len()],
            ..ink
        },
        Role::Fall(i) => Look {
            colour: COLOURS[i % COLOURS.len()],
            dash: &[1, 2],
            ..ink
        },
        Role::Path(i) => Look {
            colour: COLOURS[i % COLOURS.len()],
            width: 0.6,
            opacity: 0.85,
            ..ink
        },
        Role::Limit => Look { width: 1.8, ..ink },
        Role::LimitOf(_) => Look {
            width: 0.8,
            dash: &[4, 3],
            ..ink
        },
        Role::Extrapolated => Look {
            colour: Colour::Of(204, 121, 167),
            width: 1.5,
            area: 0.3,
            marker: Marker::Star,
            ..ink
        },
        Role::Reference => Look {
            opacity: 0.7,
            dash: &[2, 3],
            ..ink
        },
        Role::Shade => Look { area: 0.1, ..ink },
        Role::Manifold => Look {
            opacity: 0.25,
            width: 6.0,
            ..ink
        },
        Role::Contour => Look {
            opacity: 0.4,
            width: 0.5,
            ..ink
        },
        Role::Mark => ink,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_differ_in_colour_and_in_dash_or_marker() {
        let looks: Vec<Look> = (0..24).map(|i| look(Role::Rung(i))).collect();
        for i in 0..24 {
            for j in 0..i {
                let (a, b) = (looks[i], looks[j]);
                assert!(
                    a.colour != b.colour || a.dash != b.dash || a.marker != b.marker,
                    "{i} {j}"
                );
            }
        }
        for i in 1..6 {
            assert_ne!(looks[i].dash, looks[i - 1].dash);
            assert_ne!(looks[i].marker, looks[i - 1].marker);
        }
    }
}
