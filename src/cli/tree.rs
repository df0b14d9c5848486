//! A tree of lines, as a terminal shows it.

use std::fmt;

/// A line, and the lines below it.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    line: String,
    below: Vec<Tree>,
}

impl Tree {
    pub(super) const fn new(line: String) -> Self {
        Self { line, below: Vec::new() }
    }

    pub(super) fn leaf(&mut self, line: String) {
        self.below.push(Self::new(line));
    }

    pub(super) fn hang(&mut self, tree: Self) {
        self.below.push(tree);
    }

    /// Hangs some trees below a line of their own; nothing where there are none.
    pub(super) fn branch(&mut self, line: &str, below: impl IntoIterator<Item = Self>) {
        let below: Vec<Self> = below.into_iter().collect();
        if !below.is_empty() {
            self.below.push(Self { line: line.to_owned(), below });
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, before: &str) -> fmt::Result {
        writeln!(f, "{}", self.line)?;
        for (at, tree) in self.below.iter().enumerate() {
            let last = at + 1 == self.below.len();
            let (branch, rest) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            write!(f, "{before}{branch}")?;
            tree.write(f, &format!("{before}{rest}"))?;
        }
        Ok(())
    }
}

/// Says how many there are of something, with those below it that are named.
pub(super) fn counted(
    count: u32,
    one: &str,
    what: &str,
    named: impl IntoIterator<Item = String>,
) -> Tree {
    let many = match count {
        0 => return Tree::new(format!("no {one} {what}")),
        1 => one.to_owned(),
        // Of several words the last is counted, but of `a or b` both are.
        _ => one.split(" or ").map(|one| format!("{one}s")).collect::<Vec<_>>().join(" or "),
    };
    let mut tree = Tree::new(format!("{count} {many} {what}"));
    named.into_iter().for_each(|line| tree.leaf(line));
    let left = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(tree.below.len());
    if left > 0 {
        tree.leaf(format!("and {left} more"));
    }
    tree
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_said_in_one_line_and_named_below() {
        let said = |count, named: &[&str]| {
            let named = named.iter().map(|name| (*name).to_owned());
            counted(count, "API token or service key", "ended", named).to_string()
        };
        assert_eq!(said(0, &[]), "no API token or service key ended\n");
        assert_eq!(said(1, &["a"]), "1 API token or service key ended\n└─ a\n");
        let many = "7 API tokens or service keys ended\n├─ a\n└─ and 6 more\n";
        assert_eq!(said(7, &["a"]), many);
    }

    #[test]
    fn branches_hang_together() {
        let mut tree = Tree::new("top".to_owned());
        tree.branch("one", [Tree::new("a".to_owned()), Tree::new("b".to_owned())]);
        tree.branch("none", []);
        tree.leaf("two".to_owned());
        assert_eq!(tree.to_string(), "top\n├─ one\n│  ├─ a\n│  └─ b\n└─ two\n");
    }
}
