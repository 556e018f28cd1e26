//! The words of a formula, with their places.

use std::ops::Range;

use winnow::ascii::digit1;
use winnow::combinator::{alt, opt};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, one_of, take_while};

use super::error::Problem;

/// A word of a formula.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A number without sign.
    Number(f64),
    /// A letter or `_`, then letters, digits and `_`.
    Name(String),
    /// One of + - * / ^ ( ) [ ] , =
    Sign(char),
    /// `..`
    To,
    /// The end of the text.
    End,
}

impl Token {
    /// What a message calls it.
    pub fn shown(&self) -> String {
        match self {
            Self::Number(x) => format!("the number {x}"),
            Self::Name(name) => format!("`{name}`"),
            Self::Sign(c) => format!("`{c}`"),
            Self::To => "`..`".into(),
            Self::End => "the end".into(),
        }
    }
}

/// A token and its bytes.
pub type Placed = (Token, Range<usize>);

type Input<'s> = LocatingSlice<&'s str>;

fn number(input: &mut Input) -> ModalResult<Token> {
    let exponent = || (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1);
    let whole = (digit1, opt(('.', digit1)), opt(exponent())).take();
    let fraction = ('.', digit1, opt(exponent())).take();
    alt((whole, fraction))
        .verify_map(|text: &str| text.parse().ok().map(Token::Number))
        .parse_next(input)
}

fn name(input: &mut Input) -> ModalResult<Token> {
    let first = |c: char| c.is_alphabetic() || c == '_';
    let later = move |c: char| first(c) || c.is_ascii_digit();
    (one_of(first), take_while(0.., later))
        .take()
        .map(|text: &str| Token::Name(text.to_owned()))
        .parse_next(input)
}

fn sign(input: &mut Input) -> ModalResult<Token> {
    let known = |c: char| {
        Some(Token::Sign(match c {
            '+' | '-' | '*' | '/' | '^' | '(' | ')' | '[' | ']' | ',' | '=' => c,
            '−' => '-',
            '·' | '×' => '*',
            _ => return None,
        }))
    };
    alt(("..".value(Token::To), any.verify_map(known))).parse_next(input)
}

/// The tokens of a text with their bytes, and an [`Token::End`].
pub fn tokens(text: &str) -> Result<Vec<Placed>, (Problem, Range<usize>)> {
    let mut input = LocatingSlice::new(text);
    let mut found = Vec::new();
    loop {
        let blank: ModalResult<&str> = take_while(0.., char::is_whitespace).parse_next(&mut input);
        let left: &str = input.as_ref();
        let at = text.len() - left.len();
        let Some(next) = left.chars().next().filter(|_| blank.is_ok()) else {
            found.push((Token::End, at..at));
            return Ok(found);
        };
        let parsed: ModalResult<_> = alt((number, name, sign)).with_span().parse_next(&mut input);
        match parsed {
            Ok((Token::Number(x), span)) if !x.is_finite() => {
                return Err((Problem::Number(text[span.clone()].to_owned()), span));
            }
            Ok(token) => found.push(token),
            Err(_) => {
                let problem = match next {
                    '<' | '>' | '!' | '≤' | '≥' | '≠' => Problem::Comparison(next),
                    _ => Problem::Character(next),
                };
                return Err((problem, at..at + next.len_utf8()));
            }
        }
    }
}
