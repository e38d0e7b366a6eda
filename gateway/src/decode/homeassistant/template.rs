//! The part of Jinja that value templates are made of: expressions, filters, tests, `if`/`elif`/`else`, `set`. No loops and no macros.
//!
//! Why our own: a template comes from whoever may publish discovery. The full language (as in minijinja, whose fuel counts instructions but not
//! bytes) lets `{% set a = a ~ a %}` thirty times take gigabytes. Here a template's work is bounded by its length, which is bounded, and each
//! text that it makes by [`MAX_TEXT`]. What is not understood is said when the template is read, not when the first value comes.
use serde_json::Value as Json;
use std::fmt;

mod eval;
mod lex;
mod parse;
mod value;

/// Longest template, in bytes.
pub const MAX_SOURCE: usize = 4 << 10;
/// Longest text that a template may make, in bytes.
const MAX_TEXT: usize = 16 << 10;
/// Parts of a template at most: operators, names, filters, literals.
const MAX_NODES: usize = 512;
/// Deepest nesting.
const MAX_DEPTH: usize = 24;

/// A template, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    body: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    Output(Expr),
    Set(String, Expr),
    /// Conditions with what they guard; `else` has none.
    If(Vec<(Option<Expr>, Vec<Node>)>),
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Name(String),
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Member(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    /// A function of that name, a filter, or a method with its object as the first argument.
    Call(Function, Vec<Arg>),
    Test(Box<Expr>, Test, bool),
    Unary(Op, Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    Cond(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
}

#[derive(Debug, Clone, PartialEq)]
struct Arg {
    name: Option<String>,
    value: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Not,
    And,
    Or,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
    Concat,
    Neg,
    Plus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Defined,
    Undefined,
    None,
    Number,
    String,
    Boolean,
    Mapping,
    Sequence,
    True,
    False,
}

macro_rules! functions {
    ($($v:ident $($name:literal)|+;)*) => {
        /// What can be called or used as a filter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Function { $($v,)* }
        impl Function {
            fn of(name: &str) -> Option<Function> { match name { $($($name)|+ => Some(Function::$v),)* _ => None } }
        }
    };
}
functions! {
    Float "float";
    Int "int";
    Round "round";
    Abs "abs";
    Bool "bool";
    Text "string" | "str";
    Default "default" | "d";
    IsDefined "is_defined";
    IsNumber "is_number";
    Lower "lower";
    Upper "upper";
    Title "title" | "capitalize";
    Trim "trim" | "strip";
    Replace "replace";
    Length "length" | "count";
    First "first";
    Last "last";
    Min "min";
    Max "max";
    Sum "sum";
    Join "join";
    Split "split";
    StartsWith "startswith";
    EndsWith "endswith";
    Get "get";
    Keys "keys";
    Iif "iif";
    FromJson "from_json";
    BitwiseAnd "bitwise_and";
    BitwiseOr "bitwise_or";
    Multiply "multiply";
    AddFilter "add";
    List "list";
    Format "format";
    // What only Home Assistant knows: there is no value, which `default` may make good.
    Elsewhere "states" | "state_attr" | "is_state" | "is_state_attr" | "has_value";
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported(String);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a template makes of a payload.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendered {
    Text(String),
    /// It names something that the payload does not hold, or `none`: the message says nothing of this value.
    Nothing,
}

impl Template {
    /// # Errors
    /// Names the part that is not understood.
    pub fn parse(source: &str) -> Result<Template, Unsupported> {
        if source.len() > MAX_SOURCE {
            return Err(Unsupported(format!("a template has at most {MAX_SOURCE} bytes")));
        }
        parse::template(source).map(|body| Template { body }).map_err(Unsupported)
    }
    /// # Errors
    /// Says what cannot be done with the payload (a text that is multiplied).
    pub fn render(&self, payload: &str, json: Option<&Json>) -> Result<Rendered, String> {
        eval::render(&self.body, payload, json)
    }
}

#[cfg(test)]
mod tests;
