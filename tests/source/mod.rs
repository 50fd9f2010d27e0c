//! Rust source as tokens, for `layering.rs`: enough of the language to find paths, without a
//! parser's weight.

use std::path::Path;

/// A file under `src/` (or made up), test code left out.
pub struct Source {
    /// Path below `src/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    tokens: Vec<Token>,
}

/// A word, `::`, a string (as one quotation mark), or one other character.
#[derive(Debug, Clone, PartialEq)]
struct Token {
    word: String,
    line: usize,
}

/// A path below the crate's root, as far as it is written out.
#[derive(Debug)]
pub struct Import {
    pub path: Vec<String>,
    pub line: usize,
}

/// All files of `src/` but those that only tests include.
pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 20, "src/ was not found");
    let for_tests: Vec<String> = found.iter().flat_map(test_modules).collect();
    found.retain(|source| {
        !for_tests
            .iter()
            .any(|m| source.path == format!("{m}.rs") || source.path.starts_with(&format!("{m}/")))
    });
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let below = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.push(Source::new(&below, &std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Files that `#[cfg(test)] mod name;` brings in, without extension.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = module_path(&source.path).join("/");
    let tokens = tokens(&source.text);
    let marks = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let at = |i: usize| tokens.get(i).map_or("", |t| t.word.as_str());
    let starts = (0..tokens.len()).filter(|&i| marks.iter().enumerate().all(|(k, m)| at(i + k) == *m));
    let names = starts.filter(|&i| at(i + marks.len() + 1) == ";").map(|i| at(i + marks.len()).to_owned());
    names.map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") }).collect()
}

/// The module that a file is: `a/b.rs` and `a/b/mod.rs` are both a, b.
fn module_path(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap();
    let stem = stem.strip_suffix("mod").map_or(stem, |folder| folder.trim_end_matches('/'));
    let root = ["main", "lib", ""].contains(&stem);
    if root { Vec::new() } else { stem.split('/').map(str::to_owned).collect() }
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Source { path: path.into(), text: text.into(), tokens: without_tests(tokens(text)) }
    }

    /// Lines (from 1) on which the tokens `words` stand in a row.
    pub fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        let fits = |window: &&[Token]| window.iter().zip(words).all(|(t, w)| t.word == *w);
        self.tokens.windows(words.len()).filter(fits).map(|w| w[0].line).collect()
    }

    /// All paths that begin at the crate's root, by whatever spelling.
    pub fn imports(&self) -> Vec<Import> {
        let mut found = Vec::new();
        let mut inner: Vec<(String, usize)> = Vec::new();
        let mut depth = 0;
        for at in 0..self.tokens.len() {
            match self.word(at) {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    inner.retain(|&(_, opened)| opened <= depth);
                }
                "mod" if self.word(at + 2) == "{" => inner.push((self.word(at + 1).to_owned(), depth + 1)),
                "crate" | "nissl" if self.begins_path(at) => self.tree(at + 2, Vec::new(), &mut found),
                "super" if self.begins_path(at) => {
                    let mut base = module_path(&self.path);
                    base.extend(inner.iter().map(|(name, _)| name.clone()));
                    let mut next = at;
                    while self.word(next) == "super" && self.word(next + 1) == "::" {
                        base.pop();
                        next += 2;
                    }
                    self.tree(next, base, &mut found);
                }
                _ => {}
            }
        }
        found
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |t| t.word.as_str())
    }

    fn begins_path(&self, at: usize) -> bool {
        self.word(at + 1) == "::" && (at == 0 || self.word(at - 1) != "::")
    }

    /// Reads the use tree at token `at` below `base`; returns where it ends.
    fn tree(&self, mut at: usize, mut base: Vec<String>, found: &mut Vec<Import>) {
        let line = self.tokens.get(at).map_or(0, |t| t.line);
        loop {
            match self.word(at) {
                "{" => {
                    self.group(at, &base, found);
                    return;
                }
                // The module itself, which is what `base` names already.
                "self" => {}
                word if word == "*" || is_name(word) => base.push(word.to_owned()),
                _ => {}
            }
            if self.word(at + 1) != "::" {
                found.push(Import { path: base, line });
                return;
            }
            at += 2;
        }
    }

    /// The members of the group that opens at token `open`.
    fn group(&self, open: usize, base: &[String], found: &mut Vec<Import>) {
        let mut depth = 1;
        let mut at = open + 1;
        let mut fresh = true;
        while depth > 0 && at < self.tokens.len() {
            match self.word(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 1 => fresh = true,
                _ if fresh && depth == 1 => {
                    self.tree(at, base.to_vec(), found);
                    fresh = false;
                }
                _ => {}
            }
            at += 1;
        }
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Leaves out what follows `#[cfg(test)]`: an item up to its closing brace or semicolon.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let marks = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = &tokens[at..];
        if marks.iter().enumerate().all(|(k, m)| here.get(k).is_some_and(|t| t.word == *m)) {
            at += marks.len();
            let mut depth = 0;
            while at < tokens.len() {
                match tokens[at].word.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                at += 1;
                let last = tokens[at - 1].word.as_str();
                if depth == 0 && (last == "}" && tokens.get(at).is_none_or(|t| t.word != ";") || last == ";")
                {
                    break;
                }
            }
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    let ahead = |at: usize, s: &str| s.chars().enumerate().all(|(k, c)| chars.get(at + k) == Some(&c));
    while at < chars.len() {
        let start = at;
        let c = chars[at];
        let mut word = None;
        if ahead(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if ahead(at, "/*") {
            let mut depth = 0;
            loop {
                if ahead(at, "/*") {
                    (depth, at) = (depth + 1, at + 2);
                } else if ahead(at, "*/") {
                    (depth, at) = (depth - 1, at + 2);
                } else {
                    at += 1;
                }
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(end) = raw_string(&chars, at) {
            (word, at) = (Some("\"".to_owned()), end);
        } else if c == '"' || ahead(at, "b\"") || ahead(at, "c\"") {
            at += if c == '"' { 1 } else { 2 };
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
            word = Some("\"".to_owned());
        } else if c == '\'' {
            at = character_or_lifetime(&chars, at);
        } else if c.is_alphanumeric() || c == '_' {
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
            word = Some(chars[start..at].iter().collect());
        } else if ahead(at, "::") {
            (word, at) = (Some("::".to_owned()), at + 2);
        } else {
            at += 1;
            word = (!c.is_whitespace()).then(|| c.to_string());
        }
        found.extend(word.map(|word| Token { word, line }));
        line += chars[start..at.min(chars.len())].iter().filter(|&&c| c == '\n').count();
    }
    found
}

/// The end of the raw string that begins at `at`, if one does.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let mut next = at + usize::from(matches!(chars[at], 'b' | 'c'));
    if chars.get(next) != Some(&'r') || (at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_'))
    {
        return None;
    }
    next += 1;
    let hashes = chars[next..].iter().take_while(|&&c| c == '#').count();
    next += hashes;
    if chars.get(next) != Some(&'"') {
        return None;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    (next + 1..chars.len()).find(|&i| chars[i..].starts_with(&closing)).map(|i| i + closing.len())
}

/// Past `'a'`, `'\n'` or the quotation mark of a lifetime.
fn character_or_lifetime(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => (at + 3..chars.len()).find(|&i| chars[i] == '\'').map_or(chars.len(), |i| i + 1),
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}
