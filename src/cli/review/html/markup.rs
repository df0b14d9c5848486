//! Markup that no value can become part of.

/// A page in the making: markup is our own text, known when this was compiled, and everything else is escaped.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Writes markup.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Writes a style or a script of our own.
    pub(super) fn program(&mut self, text: &'static str) -> &mut Self {
        self.raw(text)
    }

    /// Writes a value, between tags or within the quotes of an attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // What no page may hold.
                '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' => {
                    self.0.push('\u{fffd}');
                }
                // What turns the direction of the text around would make a name read as another.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        self
    }

    pub(super) fn number(&mut self, number: usize) -> &mut Self {
        self.0.push_str(&number.to_string());
        self
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_value_opens_a_tag_or_leaves_an_attribute(value in ".*") {
            let mut html = Html::default();
            let text = html.text(&value).0.clone();
            prop_assert!(!text.contains(['<', '>', '"', '\'']));
            let amps = text.match_indices('&').all(|(at, _)| {
                ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|one| text[at..].starts_with(one))
            });
            prop_assert!(amps);
        }
    }
}
