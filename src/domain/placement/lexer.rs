//! Splits a placement expression into tokens that know where they stood.

/// Longest expression, in bytes (ECS: 2,000 characters).
const MAX_EXPRESSION_BYTES: usize = 2000;

/// Why an expression cannot be judged, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at character {position}")]
pub struct PlacementError {
    /// Place in the expression, in characters from 1.
    pub position: usize,
    /// What is wrong there.
    pub kind: PlacementErrorKind,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementErrorKind {
    /// Longer than ECS allows.
    #[error("the expression is longer than {MAX_EXPRESSION_BYTES} bytes")]
    TooLong,
    /// Parentheses or negations inside each other beyond the limit.
    #[error("the expression is nested too deeply")]
    TooDeep,
    /// A quotation mark without its partner.
    #[error("the quoted text does not end")]
    OpenQuote,
    /// A character that begins nothing.
    #[error("{0:?} means nothing here")]
    Character(char),
    /// Something else was due.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What was due, in words.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A subject other than an attribute of the host.
    #[error("{0:?} cannot be judged on a single host, only attribute:<name> can")]
    Subject(String),
    /// A pattern that is not a regular expression.
    #[error("{0:?} is not a pattern")]
    Pattern(String),
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Text without quotes: a name, an operator in letters, a value.
    Word(String),
    /// Text that stood in quotes: always a value.
    Quoted(String),
    /// An operator or bracket in signs.
    Sign(&'static str),
    /// After the last one.
    End,
}

impl Token {
    /// For error messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(text) | Self::Quoted(text) => format!("{text:?}"),
            Self::Sign(sign) => format!("{sign:?}"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// A token and the character position at which it starts, from 1.
pub(super) type Placed = (usize, Token);

/// Longer signs stand before their beginnings.
const SIGNS: [&str; 15] = [
    "==", "!=", "=~", "!~", ">=", "<=", "&&", "||", ">", "<", "!", "(", ")", "[", "]",
];

/// All tokens, the last one [`Token::End`].
///
/// # Errors
/// [`PlacementError`] for text that is too long, an open quote, or a stray character.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, PlacementError> {
    let fail = |position, kind| Err(PlacementError { position, kind });
    if text.len() > MAX_EXPRESSION_BYTES {
        return fail(1, PlacementErrorKind::TooLong);
    }
    let mut found = Vec::new();
    let mut rest = text;
    let mut position = 1_usize;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            c if c.is_whitespace() => (None, c.len_utf8()),
            ',' => (Some(Token::Sign(",")), 1),
            '\'' | '"' => match quoted(rest, first) {
                Some((content, length)) => (Some(Token::Quoted(content)), length),
                None => return fail(position, PlacementErrorKind::OpenQuote),
            },
            c => {
                if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                    (Some(Token::Sign(sign)), sign.len())
                } else {
                    let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                    let word = rest.get(..length).unwrap_or_default();
                    if word.is_empty() {
                        return fail(position, PlacementErrorKind::Character(c));
                    }
                    (Some(Token::Word(word.to_owned())), length)
                }
            }
        };
        found.extend(token.map(|token| (position, token)));
        let (done, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
        position = position.saturating_add(done.chars().count());
        rest = left;
    }
    found.push((position, Token::End));
    Ok(found)
}

/// Content up to the next `mark`, and the length in bytes with both marks.
fn quoted(rest: &str, mark: char) -> Option<(String, usize)> {
    let (content, _) = rest.strip_prefix(mark)?.split_once(mark)?;
    Some((content.to_owned(), content.len().saturating_add(2)))
}

/// Values may hold most signs of patterns; brackets, bars and blanks need quotes.
fn is_word(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(
            c,
            '=' | '!' | '<' | '>' | '&' | '|' | '~' | '(' | ')' | '[' | ']' | ',' | '\'' | '"'
        )
}
