//! From the words of a formula to a tree, every part with its place in the text.

use std::ops::Range;
use std::sync::Arc;

use super::error::{FormulaError, Problem};
use super::function::Function;
use super::token::{Token, tokens};

/// The longest text that is read.
pub const MOST_CHARACTERS: usize = 65_536;
/// The most brackets, powers and signs in one another.
pub const MOST_LEVELS: usize = 64;

/// A part of a formula.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: Kind,
    pub span: Range<usize>,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Number(f64),
    /// A number, an index, or a vector as an argument of `dot`.
    Name(String),
    /// `x[i, j]`
    Entry(String, Vec<Expr>),
    /// Terms with their signs; true is +.
    Sum(Vec<(bool, Expr)>),
    /// Factors; false divides.
    Product(Vec<(bool, Expr)>),
    Power(Box<(Expr, Expr)>),
    Call(Function, Box<Expr>),
    Dot(Box<(Expr, Expr)>),
    /// `sum(i=1..N, body)` or, if `product`, `prod(…)`.
    Fold {
        product: bool,
        range: Box<IndexRange>,
        body: Box<Expr>,
    },
}

/// `i=1..N`
#[derive(Clone, Debug, PartialEq)]
pub struct IndexRange {
    pub name: String,
    pub from: Expr,
    pub to: Expr,
}

/// A parsed formula.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    /// The keys of the scenario that lead to the text.
    pub path: Arc<[String]>,
    /// The tree.
    pub(super) expr: Expr,
    /// `… for i=1..N`: one formula for each i.
    pub(super) each: Option<IndexRange>,
}

/// A name with ranges of indices, as in a list of parameters: `W[1..3, 1..4]`; or `f[i=1..N]` of a named vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: String,
    pub index: Option<String>,
    pub ranges: Vec<(Expr, Expr)>,
    pub span: Range<usize>,
}

type Result<T> = std::result::Result<T, (Problem, Range<usize>)>;

/// Puts the path to an error.
pub(super) fn at_path<T>(
    result: Result<T>,
    path: &Arc<[String]>,
) -> std::result::Result<T, FormulaError> {
    result.map_err(|(problem, span)| FormulaError {
        problem,
        span,
        path: path.clone(),
    })
}

impl Formula {
    /// Parses the text that stands at `path` in the scenario.
    ///
    /// # Errors
    /// Anything that is no formula, at its place.
    pub fn parse(text: &str, path: &[&str]) -> std::result::Result<Self, FormulaError> {
        let path: Arc<[String]> = path.iter().map(|key| (*key).to_owned()).collect();
        let parsed = Parser::new(text).and_then(|mut parser| {
            let expr = parser.sum()?;
            let each = if parser.take_name("for") {
                Some(parser.range()?)
            } else {
                None
            };
            parser.end()?;
            Ok((expr, each))
        });
        let (expr, each) = at_path(parsed, &path)?;
        Ok(Self { path, expr, each })
    }
}

/// Parses `x`, `x[1..20]`, `W[1..3, 1..4]` or `f[i=1..N]`.
pub(super) fn declared(text: &str) -> Result<Declared> {
    let mut parser = Parser::new(text)?;
    let (name, span) = parser.name("a name")?;
    let mut index = None;
    let mut ranges = Vec::new();
    if parser.take('[') {
        loop {
            if let (Token::Name(i), Token::Sign('=')) = (parser.peek(), parser.peek_second()) {
                index = Some(i.clone());
                parser.at += 2;
            }
            let from = parser.sum()?;
            parser.expect_to()?;
            ranges.push((from, parser.sum()?));
            if !parser.take(',') {
                break;
            }
        }
        parser.expect(']', "`]` or `,`")?;
    }
    parser.end()?;
    Ok(Declared {
        name,
        index,
        ranges,
        span,
    })
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    level: usize,
}

impl Parser {
    fn new(text: &str) -> Result<Self> {
        if text.len() > MOST_CHARACTERS {
            return Err((Problem::TooLong(text.len(), MOST_CHARACTERS), 0..0));
        }
        Ok(Self {
            tokens: tokens(text)?,
            at: 0,
            level: 0,
        })
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn peek_second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].0
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].1.clone()
    }

    /// Goes on, but not beyond the end.
    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn take(&mut self, sign: char) -> bool {
        let found = *self.peek() == Token::Sign(sign);
        if found {
            self.advance();
        }
        found
    }

    fn take_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Token::Name(n) if n == name);
        if found {
            self.advance();
        }
        found
    }

    fn unexpected<T>(&self, expected: &'static str) -> Result<T> {
        let found = self.peek().shown();
        Err((Problem::Unexpected { found, expected }, self.span()))
    }

    fn expect(&mut self, sign: char, expected: &'static str) -> Result<()> {
        if self.take(sign) {
            return Ok(());
        }
        self.unexpected(expected)
    }

    fn expect_to(&mut self) -> Result<()> {
        if *self.peek() == Token::To {
            self.advance();
            return Ok(());
        }
        self.unexpected("`..` between the first and the last index")
    }

    fn end(&self) -> Result<()> {
        if *self.peek() == Token::End {
            return Ok(());
        }
        self.unexpected("an operator or the end (write * for products)")
    }

    fn name(&mut self, expected: &'static str) -> Result<(String, Range<usize>)> {
        if let Token::Name(name) = self.peek() {
            let found = (name.clone(), self.span());
            self.advance();
            return Ok(found);
        }
        self.unexpected(expected)
    }

    /// Something one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.level == MOST_LEVELS {
            return Err((Problem::TooDeep(MOST_LEVELS), self.span()));
        }
        self.level += 1;
        let parsed = parse(self);
        self.level -= 1;
        parsed
    }

    /// Operands with two kinds of operators between them.
    fn chain(
        &mut self,
        [first, second]: [char; 2],
        operand: fn(&mut Self) -> Result<Expr>,
        join: fn(Vec<(bool, Expr)>) -> Kind,
    ) -> Result<Expr> {
        let head = operand(self)?;
        let mut all = Vec::new();
        loop {
            let kind = if self.take(first) {
                true
            } else if self.take(second) {
                false
            } else {
                break;
            };
            all.push((kind, operand(self)?));
        }
        let Some((_, last)) = all.last() else {
            return Ok(head);
        };
        let span = head.span.start..last.span.end;
        all.insert(0, (true, head));
        Ok(Expr {
            kind: join(all),
            span,
        })
    }

    fn sum(&mut self) -> Result<Expr> {
        self.chain(['+', '-'], Self::product, Kind::Sum)
    }

    fn product(&mut self) -> Result<Expr> {
        self.chain(['*', '/'], Self::signed, Kind::Product)
    }

    /// A sign binds less than a power: −x² = −(x²).
    fn signed(&mut self) -> Result<Expr> {
        let start = self.span().start;
        for (sign, kept) in [('-', false), ('+', true)] {
            if self.take(sign) {
                let inner = self.deeper(Self::signed)?;
                let span = start..inner.span.end;
                let kind = Kind::Sum(vec![(kept, inner)]);
                return Ok(Expr { kind, span });
            }
        }
        self.power()
    }

    fn power(&mut self) -> Result<Expr> {
        let base = self.atom()?;
        if !self.take('^') {
            return Ok(base);
        }
        let exponent = self.deeper(Self::signed)?;
        let span = base.span.start..exponent.span.end;
        let kind = Kind::Power(Box::new((base, exponent)));
        Ok(Expr { kind, span })
    }

    fn atom(&mut self) -> Result<Expr> {
        let start = self.span().start;
        let kind = match self.peek().clone() {
            Token::Number(x) => {
                self.advance();
                Kind::Number(x)
            }
            Token::Sign('(') => {
                self.advance();
                let inner = self.deeper(Self::sum)?;
                self.expect(')', "an operator or `)`")?;
                inner.kind
            }
            Token::Name(name) => {
                let span = self.span();
                self.advance();
                if self.take('(') {
                    self.deeper(|parser| parser.call(&name, span))?
                } else if self.take('[') {
                    let indices = self.deeper(|parser| parser.list(']'))?;
                    Kind::Entry(name, indices)
                } else {
                    Kind::Name(name)
                }
            }
            _ => return self.unexpected("a number, a name or `(`"),
        };
        let end = self.tokens[self.at - 1].1.end;
        Ok(Expr {
            kind,
            span: start..end,
        })
    }

    /// Expressions with commas between them, up to the closing bracket.
    fn list(&mut self, close: char) -> Result<Vec<Expr>> {
        let mut all = Vec::new();
        if self.take(close) {
            return Ok(all);
        }
        loop {
            all.push(self.sum()?);
            if !self.take(',') {
                break;
            }
        }
        let expected = if close == ')' {
            "`,` or `)`"
        } else {
            "`,` or `]`"
        };
        self.expect(close, expected)?;
        Ok(all)
    }

    /// `i=1..N`
    fn range(&mut self) -> Result<IndexRange> {
        let (name, _) = self.name("the name of an index, as in i=1..N")?;
        self.expect('=', "`=` after the name of the index")?;
        let from = self.sum()?;
        self.expect_to()?;
        let to = self.sum()?;
        Ok(IndexRange { name, from, to })
    }

    /// What follows `name(`.
    fn call(&mut self, name: &str, span: Range<usize>) -> Result<Kind> {
        if let "sum" | "prod" = name {
            let range = Box::new(self.range()?);
            self.expect(',', "`,` and what is summed or multiplied")?;
            let body = Box::new(self.sum()?);
            self.expect(')', "an operator or `)`")?;
            return Ok(Kind::Fold {
                product: name == "prod",
                range,
                body,
            });
        }
        let arguments = self.list(')')?;
        let wrong = |takes, given| {
            let name = name.to_owned();
            Err((Problem::Arity { name, takes, given }, span.clone()))
        };
        if name == "dot" {
            return match <[Expr; 2]>::try_from(arguments) {
                Ok([a, b]) => Ok(Kind::Dot(Box::new((a, b)))),
                Err(given) => wrong("two vectors", given.len()),
            };
        }
        let Some((_, function)) = Function::NAMED.into_iter().find(|(n, _)| *n == name) else {
            let mut known: Vec<_> = Function::NAMED.iter().map(|(n, _)| *n).collect();
            known.extend(["sum", "prod", "dot"]);
            let help = super::error::nearest(name, &mut known);
            let name = name.to_owned();
            return Err((Problem::UnknownFunction { name, help }, span));
        };
        match <[Expr; 1]>::try_from(arguments) {
            Ok([x]) => Ok(Kind::Call(function, Box::new(x))),
            Err(given) => wrong("one argument", given.len()),
        }
    }
}
