//! Turns tokens into an expression. `not` binds tighter than `and`, which binds tighter than `or`.

use regex_lite::Regex;

use super::lexer::{Placed, PlacementError, PlacementErrorKind, Token, tokens};

/// Parentheses and negations inside each other; ECS gives no limit, people need three.
const MAX_DEPTH: usize = 32;

/// An expression about attributes of a host.
#[derive(Clone, Debug)]
pub struct Expression(pub(super) Node);

#[derive(Clone, Debug)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Test { attribute: String, test: Test },
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Exists,
    Equals(String),
    Matches(Regex),
    Compare(Order, String),
    In(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Expression {
    /// Takes an expression, with or without `memberOf( )` around it.
    ///
    /// # Errors
    /// [`PlacementError`] says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, PlacementError> {
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
        };
        let wrapped = parser.take_wrapper();
        let node = parser.any_of(0)?;
        if wrapped {
            parser.expect(")")?;
        }
        match parser.next() {
            (_, Token::End) => Ok(Self(node)),
            other => unexpected("an operator or the end", other),
        }
    }
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
}

fn unexpected<T>(expected: &'static str, (position, token): Placed) -> Result<T, PlacementError> {
    Err(PlacementError {
        position,
        kind: PlacementErrorKind::Unexpected {
            expected,
            found: token.describe(),
        },
    })
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    /// The next token; the last one, `End`, over and over.
    fn next(&mut self) -> Placed {
        let placed = self.tokens.get(self.at).or(self.tokens.last()).cloned();
        self.at = self.at.saturating_add(1);
        placed.unwrap_or((1, Token::End))
    }

    fn take(&mut self, sign: &str, word: &str) -> bool {
        let there = match self.peek() {
            Some(Token::Sign(found)) => *found == sign,
            Some(Token::Word(found)) => found.eq_ignore_ascii_case(word),
            Some(Token::Quoted(_) | Token::End) | None => false,
        };
        if there {
            self.at = self.at.saturating_add(1);
        }
        there
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), PlacementError> {
        match self.next() {
            (_, Token::Sign(found)) if found == sign => Ok(()),
            other => unexpected(sign, other),
        }
    }

    fn take_wrapper(&mut self) -> bool {
        let wrapped = matches!(
            self.tokens.as_slice(),
            [(_, Token::Word(word)), (_, Token::Sign("(")), ..] if word.eq_ignore_ascii_case("memberOf")
        );
        if wrapped {
            self.at = 2;
        }
        wrapped
    }

    fn any_of(&mut self, depth: usize) -> Result<Node, PlacementError> {
        let mut nodes = vec![self.all_of(depth)?];
        while self.take("||", "or") {
            nodes.push(self.all_of(depth)?);
        }
        Ok(Node::Or(nodes))
    }

    fn all_of(&mut self, depth: usize) -> Result<Node, PlacementError> {
        let mut nodes = vec![self.negated(depth)?];
        while self.take("&&", "and") {
            nodes.push(self.negated(depth)?);
        }
        Ok(Node::And(nodes))
    }

    fn negated(&mut self, depth: usize) -> Result<Node, PlacementError> {
        if depth > MAX_DEPTH {
            let (position, _) = self.next();
            return Err(PlacementError {
                position,
                kind: PlacementErrorKind::TooDeep,
            });
        }
        let deeper = depth.saturating_add(1);
        if self.take("!", "not") {
            return Ok(Node::Not(Box::new(self.negated(deeper)?)));
        }
        if self.peek() == Some(&Token::Sign("(")) {
            self.expect("(")?;
            let inner = self.any_of(deeper)?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Result<Node, PlacementError> {
        let attribute = self.subject()?;
        let (position, operator) = self.next();
        let sign = match &operator {
            // `!exists` and `!in` are a sign and a word.
            Token::Sign("!") => match self.next() {
                (_, Token::Word(word)) if word.eq_ignore_ascii_case("exists") => "not_exists",
                (_, Token::Word(word)) if word.eq_ignore_ascii_case("in") => "not_in",
                other => return unexpected("exists or in", other),
            },
            Token::Sign(sign) => sign,
            Token::Word(word) => word,
            Token::Quoted(_) | Token::End => "",
        };
        let (test, negated) = match sign.to_ascii_lowercase().as_str() {
            "exists" => (Test::Exists, false),
            "not_exists" => (Test::Exists, true),
            "==" | "equals" => (Test::Equals(self.value()?.1), false),
            "!=" | "not_equals" => (Test::Equals(self.value()?.1), true),
            "=~" | "matches" => (self.pattern()?, false),
            "!~" | "not_matches" => (self.pattern()?, true),
            ">" | "greater_than" => (self.compare(Order::Greater)?, false),
            ">=" | "greater_than_equal" => (self.compare(Order::GreaterOrEqual)?, false),
            "<" | "less_than" => (self.compare(Order::Less)?, false),
            "<=" | "less_than_equal" => (self.compare(Order::LessOrEqual)?, false),
            "in" => (self.list()?, false),
            "not_in" => (self.list()?, true),
            _ => return unexpected("an operator", (position, operator)),
        };
        let node = Node::Test { attribute, test };
        Ok(if negated {
            Node::Not(Box::new(node))
        } else {
            node
        })
    }

    /// `attribute:<name>`, or a bare name that ECS reserves for attributes (`ecs.`).
    fn subject(&mut self) -> Result<String, PlacementError> {
        let (position, token) = self.next();
        let Token::Word(word) = token else {
            return unexpected("an attribute", (position, token));
        };
        match word.strip_prefix("attribute:") {
            Some(name) if !name.is_empty() => Ok(name.to_owned()),
            None if word.starts_with("ecs.") => Ok(word),
            Some(_) | None => Err(PlacementError {
                position,
                kind: PlacementErrorKind::Subject(word),
            }),
        }
    }

    fn value(&mut self) -> Result<(usize, String), PlacementError> {
        match self.next() {
            (position, Token::Word(text) | Token::Quoted(text)) => Ok((position, text)),
            other => unexpected("a value", other),
        }
    }

    fn compare(&mut self, order: Order) -> Result<Test, PlacementError> {
        Ok(Test::Compare(order, self.value()?.1))
    }

    /// A pattern covers the whole value, as in the language that ECS' patterns come from.
    fn pattern(&mut self) -> Result<Test, PlacementError> {
        let (position, text) = self.value()?;
        Regex::new(&format!("^(?:{text})$"))
            .map(Test::Matches)
            .map_err(|_| PlacementError {
                position,
                kind: PlacementErrorKind::Pattern(text),
            })
    }

    fn list(&mut self) -> Result<Test, PlacementError> {
        self.expect("[")?;
        let mut values = vec![self.value()?.1];
        loop {
            match self.next() {
                (_, Token::Sign(",")) => values.push(self.value()?.1),
                (_, Token::Sign("]")) => return Ok(Test::In(values)),
                other => return unexpected("',' or ']'", other),
            }
        }
    }
}
