//! Finds the imports between TypeScript files, types included: `import`, `export … from` and `import(…)` with a relative
//! path. No parser is needed: `import` and `export` are reserved words, so it is enough to split the text into tokens.

use super::import::{Import, Sources, first_of_each_pair};

pub fn imports(sources: &Sources) -> Vec<Import> {
    let mut imports = Vec::new();
    for (file, text) in sources {
        for (specifier, line) in specifiers(&tokens(text)) {
            if let Some(to) = resolve(sources, file, specifier) {
                imports.push(Import { from: file.clone(), to, line });
            }
        }
    }
    first_of_each_pair(imports)
}

/// The file that a relative path leads to, if it is in the room. `x.js` means `x.ts`, which it is compiled from.
fn resolve(sources: &Sources, from: &str, specifier: &str) -> Option<String> {
    let mut path: Vec<_> = from.split('/').collect();
    path.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => {
                path.pop()?;
            }
            name => path.push(name),
        }
    }
    let path = path.join("/");
    let compiled = path.strip_suffix(".js").unwrap_or(&path);
    let candidates =
        [path.clone(), format!("{compiled}.ts"), format!("{compiled}.tsx"), format!("{compiled}.d.ts")];
    candidates.into_iter().find(|candidate| sources.contains_key(candidate))
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

impl Token {
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Token::Word(found) if found == word)
    }
}

type Tokens = [(Token, usize)];

/// The relative paths that are imported, each with its line.
fn specifiers(tokens: &Tokens) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for (index, (token, _)) in tokens.iter().enumerate() {
        let is_property = index > 0 && tokens[index - 1].0 == Token::Mark('.');
        let rest = &tokens[index + 1..];
        let specifier = match token {
            _ if is_property => None,
            Token::Word(word) if word == "import" => imported(rest),
            Token::Word(word) if word == "export" => exported(rest),
            _ => None,
        };
        if let Some((Token::Text(path), line)) = specifier
            && path.starts_with('.')
        {
            found.push((path.as_str(), *line));
        }
    }
    found
}

/// What follows `import`: a path, a path in parentheses, or names, `from` and a path.
fn imported(rest: &Tokens) -> Option<&(Token, usize)> {
    match rest {
        [text @ (Token::Text(_), _), ..] => Some(text),
        [(Token::Mark('('), _), text, ..] => Some(text),
        _ => after_from(rest),
    }
}

/// What follows `export`. Only `*` and names in braces can come from another file.
fn exported(rest: &Tokens) -> Option<&(Token, usize)> {
    let rest = match rest {
        [(word, _), rest @ ..] if word.is_word("type") => rest,
        _ => rest,
    };
    match rest {
        [(Token::Mark('*' | '{'), _), ..] => after_from(rest),
        _ => None,
    }
}

fn after_from(rest: &Tokens) -> Option<&(Token, usize)> {
    for (index, (token, _)) in rest.iter().enumerate() {
        let next = rest.get(index + 1)?;
        match token {
            Token::Word(word) if word == "from" && matches!(next.0, Token::Text(_)) => return Some(next),
            // `export { a };` has no `from`. A later statement may have one, so the search stops here.
            Token::Mark('}') if !next.0.is_word("from") => return None,
            Token::Word(_) | Token::Text(_) | Token::Mark('{' | '}' | ',' | '*') => {}
            Token::Mark(_) => return None,
        }
    }
    None
}

fn tokens(text: &str) -> Vec<(Token, usize)> {
    let mut scanner = Scanner {
        text: text.chars().collect(),
        at: 0,
        line: 1,
        tokens: Vec::new(),
        braces: 0,
        templates: Vec::new(),
    };
    scanner.scan();
    scanner.tokens
}

struct Scanner {
    text: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<(Token, usize)>,
    braces: usize,
    /// For each open `${`: how many braces were open before it.
    templates: Vec<usize>,
}

impl Scanner {
    fn scan(&mut self) {
        while let Some(char) = self.next() {
            match char {
                '/' if self.peek() == Some('/') => self.skip_until(|scanner| scanner.peek() == Some('\n')),
                '/' if self.peek() == Some('*') => {
                    self.next();
                    self.skip_until(|scanner| scanner.text[scanner.at..].starts_with(&['*', '/']));
                    self.at += 2;
                }
                '/' if self.may_begin_regex() && self.regex_end().is_some() => {
                    self.at = self.regex_end().expect("it was found just now");
                }
                '"' | '\'' => self.text_until(char),
                '`' => self.template(),
                '{' => {
                    self.braces += 1;
                    self.push(Token::Mark(char));
                }
                '}' if self.templates.last() == Some(&self.braces) => {
                    self.templates.pop();
                    self.template();
                }
                '}' => {
                    self.braces = self.braces.saturating_sub(1);
                    self.push(Token::Mark(char));
                }
                _ if is_part_of_word(char) => {
                    let start = self.at - 1;
                    self.skip_until(|scanner| scanner.peek().is_none_or(|next| !is_part_of_word(next)));
                    let word = self.text[start..self.at].iter().collect();
                    self.push(Token::Word(word));
                }
                _ if char.is_whitespace() => {}
                _ => self.push(Token::Mark(char)),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += 1;
        self.line += usize::from(char == '\n');
        Some(char)
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    fn skip_until(&mut self, end: impl Fn(&Self) -> bool) {
        while self.at < self.text.len() && !end(self) {
            self.next();
        }
    }

    /// A string ends at the end of its line at the latest, because an apostrophe in the text between tags has no partner.
    fn text_until(&mut self, quote: char) {
        let mut text = String::new();
        while let Some(char) = self.peek().filter(|char| *char != '\n') {
            self.next();
            match char {
                '\\' => text.extend(self.next()),
                _ if char == quote => break,
                _ => text.push(char),
            }
        }
        self.push(Token::Text(text));
    }

    /// Skips a template's text up to its end, or up to a `${`, which code follows.
    fn template(&mut self) {
        while let Some(char) = self.next() {
            match char {
                '\\' => {
                    self.next();
                }
                '$' if self.peek() == Some('{') => {
                    self.next();
                    self.templates.push(self.braces);
                    return;
                }
                '`' => return,
                _ => {}
            }
        }
    }

    /// After a value a slash is a division, elsewhere it begins a regular expression.
    fn may_begin_regex(&self) -> bool {
        match self.tokens.last() {
            None => true,
            Some((Token::Mark(mark), _)) => !matches!(mark, ')' | ']'),
            Some((Token::Word(word), _)) => {
                ["return", "case", "typeof", "in", "of", "void", "await", "yield"].contains(&word.as_str())
            }
            Some((Token::Text(_), _)) => false,
        }
    }

    fn regex_end(&self) -> Option<usize> {
        let (mut at, mut in_class) = (self.at, false);
        loop {
            match self.text.get(at)? {
                '\n' => return None,
                '\\' => at += 1,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => return Some(at + 1),
                _ => {}
            }
            at += 1;
        }
    }
}

fn is_part_of_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$'
}

#[cfg(test)]
mod tests;
