//! Short stable words for enums that are stored, sent in forms or exported.
//!
//! To add a variant, add one line to the enum inside `tagged!`; the tag is
//! what the database keeps, so a tag once released never changes.

/// A word that names none of the values it should name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{found}” is not a known {what}")]
pub struct UnknownTag {
    /// What was being read, in words: "skip reason", "region".
    pub what: &'static str,
    /// The word that was found, as it came in.
    pub found: String,
}

/// Declares a plain enum together with `ALL`, `tag()`, `Display` and `FromStr`.
macro_rules! tagged {
    (
        $(#[$meta:meta])*
        $what:literal
        pub enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $tag:literal ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$vmeta])* $variant ),+ }

        impl $name {
            /// Every value, in the order of the declaration.
            pub const ALL: &'static [$name] = &[ $( $name::$variant ),+ ];

            /// The stable word for this value, as stored and sent in forms.
            pub const fn tag(self) -> &'static str {
                match self { $( $name::$variant => $tag ),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.tag())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownTag;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                $name::ALL
                    .iter()
                    .copied()
                    .find(|value| value.tag() == word)
                    .ok_or_else(|| $crate::UnknownTag { what: $what, found: word.to_owned() })
            }
        }
    };
}

pub(crate) use tagged;
