//! What of a text a reader can see.

/// Whether nothing of it can be seen: it is empty, or all of it is space, a control character, or a mark that Unicode gives no shape of
/// its own (zero-width spaces and joiners, direction marks, the soft hyphen, variation selectors, the Hangul fillers, the empty Braille
/// cell). Such marks belong into words of many scripts and into emoji, so only a text of nothing else is blank.
///
/// The marks without a shape are those that Unicode 17's DerivedCoreProperties.txt calls `Default_Ignorable_Code_Point`.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || has_no_shape(c))
}

fn has_no_shape(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
            | '\u{2800}'
    )
}
