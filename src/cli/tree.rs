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

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_hang_together() {
        let mut tree = Tree::new("top".to_owned());
        tree.branch("one", [Tree::new("a".to_owned()), Tree::new("b".to_owned())]);
        tree.branch("none", []);
        tree.leaf("two".to_owned());
        assert_eq!(tree.to_string(), "top\n├─ one\n│  ├─ a\n│  └─ b\n└─ two\n");
    }
}
