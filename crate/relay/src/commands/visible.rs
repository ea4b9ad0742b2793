//! Names as a terminal may show them.

/// A name that somebody else has chosen, without what a terminal would obey.
pub(super) fn visible(name: &str) -> String {
    // Beside control characters those that hide others or turn their direction around.
    let is_plain = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut visible = String::new();
    for c in name.chars() {
        if is_plain(c) { visible.push(c) } else { visible.extend(c.escape_default()) }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn a_name_can_not_give_orders_to_a_terminal() {
        assert_eq!(visible("größe 🏝 \"a\""), "größe 🏝 \"a\"");
        assert_eq!(visible("\u{1b}[2J\u{7}\r\u{9b}\u{202e}"), "\\u{1b}[2J\\u{7}\\r\\u{9b}\\u{202e}");
    }
}
