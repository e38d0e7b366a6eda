//! Tokens -> what is to be done. Precedence as in Jinja: `or`, `and`, `not`, comparisons, `+ -`, `~`, `* / // %`, sign, `**`, then filters,
//! tests, members and calls.
use super::lex::{Part, Token, parts};
use super::{Arg, Expr, Function, MAX_DEPTH, MAX_NODES, Node, Op, Test};

pub(super) fn template(source: &str) -> Result<Vec<Node>, String> {
    let parts = parts(source)?;
    let mut parser = Parser { tokens: &[], at: 0, nodes: 0, depth: 0 };
    let mut rest = parts.as_slice();
    let body = parser.body(&mut rest, 0)?;
    match rest.first() {
        None => Ok(body),
        Some(_) => Err("an `elif`, `else` or `endif` without its `if`".to_owned()),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    nodes: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Up to the end or to a statement that is not its own (`else`).
    fn body(&mut self, rest: &mut &'t [Part], depth: usize) -> Result<Vec<Node>, String> {
        if depth > MAX_DEPTH {
            return Err("too deeply nested".to_owned());
        }
        let mut body = Vec::new();
        while let Some((part, after)) = rest.split_first() {
            match part {
                Part::Text(text) => body.push(Node::Text(text.clone())),
                Part::Output(tokens) => body.push(Node::Output(self.whole(tokens)?)),
                Part::Statement(tokens) => match tokens.split_first() {
                    Some((Token::Name(word), tokens)) => match word.as_str() {
                        "if" => {
                            *rest = after;
                            body.push(self.branches(tokens, rest, depth)?);
                            continue;
                        }
                        "set" => match tokens {
                            [Token::Name(name), Token::Sym("="), value @ ..] => body.push(Node::Set(name.clone(), self.whole(value)?)),
                            _ => return Err("`set` must be `{% set name = value %}`".to_owned()),
                        },
                        "elif" | "else" | "endif" => return Ok(body),
                        other => return Err(format!("the statement `{other}` is not understood")),
                    },
                    _ => return Err("an empty statement".to_owned()),
                },
            }
            *rest = after;
        }
        Ok(body)
    }

    fn branches(&mut self, condition: &'t [Token], rest: &mut &'t [Part], depth: usize) -> Result<Node, String> {
        let mut branches = Vec::new();
        let mut condition = Some(self.whole(condition)?);
        loop {
            let body = self.body(rest, depth + 1)?;
            branches.push((condition.take(), body));
            let Some((Part::Statement(tokens), after)) = rest.split_first() else { return Err("`endif` is missing".to_owned()) };
            *rest = after;
            match tokens.split_first() {
                Some((Token::Name(word), tokens)) if word == "elif" => condition = Some(self.whole(tokens)?),
                Some((Token::Name(word), _)) if word == "else" => {}
                _ => return Ok(Node::If(branches)),
            }
        }
    }

    /// All the tokens, as one expression.
    fn whole(&mut self, tokens: &'t [Token]) -> Result<Expr, String> {
        self.tokens = tokens;
        self.at = 0;
        let expr = self.expr()?;
        match self.peek() {
            None => Ok(expr),
            Some(token) => Err(format!("{} is not understood here", shown(token))),
        }
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }
    fn next(&mut self) -> Option<&'t Token> {
        let token = self.peek();
        self.at += 1;
        token
    }
    fn sym(&mut self, symbol: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sym(s)) if *s == symbol);
        self.at += usize::from(is);
        is
    }
    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Name(n)) if n == word);
        self.at += usize::from(is);
        is
    }
    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.sym(symbol) { Ok(()) } else { Err(format!("`{symbol}` is missing")) }
    }
    /// Counts a node, so that no template is too large.
    fn node(&mut self, expr: Expr) -> Result<Expr, String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err("too long".to_owned()) } else { Ok(expr) }
    }

    fn expr(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("too deeply nested".to_owned());
        }
        let mut expr = self.or()?;
        while self.word("if") {
            let condition = self.or()?;
            let otherwise = if self.word("else") { Some(Box::new(self.expr()?)) } else { None };
            expr = self.node(Expr::Cond(Box::new(condition), Box::new(expr), otherwise))?;
        }
        self.depth -= 1;
        Ok(expr)
    }
    fn binary(&mut self, op: Op, left: Expr, right: Expr) -> Result<Expr, String> {
        self.node(Expr::Binary(op, Box::new(left), Box::new(right)))
    }
    fn or(&mut self) -> Result<Expr, String> {
        let mut left = self.and()?;
        while self.word("or") {
            let right = self.and()?;
            left = self.binary(Op::Or, left, right)?;
        }
        Ok(left)
    }
    fn and(&mut self) -> Result<Expr, String> {
        let mut left = self.not()?;
        while self.word("and") {
            let right = self.not()?;
            left = self.binary(Op::And, left, right)?;
        }
        Ok(left)
    }
    fn not(&mut self) -> Result<Expr, String> {
        let mut times = 0;
        while self.word("not") {
            times += 1;
        }
        let mut expr = self.comparison()?;
        for _ in 0..times {
            expr = self.node(Expr::Unary(Op::Not, Box::new(expr)))?;
        }
        Ok(expr)
    }
    fn comparison(&mut self) -> Result<Expr, String> {
        let mut left = self.sum()?;
        loop {
            let op = match self.peek() {
                Some(Token::Sym("==")) => Op::Eq,
                Some(Token::Sym("!=")) => Op::Ne,
                Some(Token::Sym("<")) => Op::Lt,
                Some(Token::Sym("<=")) => Op::Le,
                Some(Token::Sym(">")) => Op::Gt,
                Some(Token::Sym(">=")) => Op::Ge,
                Some(Token::Name(n)) if n == "in" => Op::In,
                Some(Token::Name(n)) if n == "not" && matches!(self.tokens.get(self.at + 1), Some(Token::Name(n)) if n == "in") => {
                    self.at += 1;
                    Op::NotIn
                }
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.sum()?;
            left = self.binary(op, left, right)?;
        }
    }
    fn sum(&mut self) -> Result<Expr, String> {
        let mut left = self.concat()?;
        loop {
            let op = if self.sym("+") {
                Op::Add
            } else if self.sym("-") {
                Op::Sub
            } else {
                return Ok(left);
            };
            let right = self.concat()?;
            left = self.binary(op, left, right)?;
        }
    }
    fn concat(&mut self) -> Result<Expr, String> {
        let mut left = self.product()?;
        while self.sym("~") {
            let right = self.product()?;
            left = self.binary(Op::Concat, left, right)?;
        }
        Ok(left)
    }
    fn product(&mut self) -> Result<Expr, String> {
        let mut left = self.unary()?;
        loop {
            let op = match self.peek() {
                Some(Token::Sym("*")) => Op::Mul,
                Some(Token::Sym("/")) => Op::Div,
                Some(Token::Sym("//")) => Op::FloorDiv,
                Some(Token::Sym("%")) => Op::Mod,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.unary()?;
            left = self.binary(op, left, right)?;
        }
    }
    fn unary(&mut self) -> Result<Expr, String> {
        let mut signs = Vec::new();
        loop {
            if self.sym("-") {
                signs.push(Op::Neg);
            } else if self.sym("+") {
                signs.push(Op::Plus);
            } else {
                break;
            }
        }
        let mut expr = self.postfix()?;
        if self.sym("**") {
            let right = self.postfix()?;
            expr = self.binary(Op::Pow, expr, right)?;
        }
        for op in signs.into_iter().rev() {
            expr = self.node(Expr::Unary(op, Box::new(expr)))?;
        }
        Ok(expr)
    }
    fn postfix(&mut self) -> Result<Expr, String> {
        let mut expr = self.primary()?;
        loop {
            if self.sym(".") {
                let key = match self.next() {
                    Some(Token::Name(name)) => name,
                    // `list.0`
                    Some(Token::Int(n)) => {
                        expr = self.node(Expr::Member(Box::new(expr), Box::new(Expr::Int(*n))))?;
                        continue;
                    }
                    _ => return Err("a name is missing after `.`".to_owned()),
                };
                if self.sym("(") {
                    let mut args = vec![Arg { name: None, value: expr }];
                    args.append(&mut self.args()?);
                    expr = self.call("method", key, args)?;
                } else {
                    expr = self.node(Expr::Member(Box::new(expr), Box::new(Expr::Str(key.clone()))))?;
                }
            } else if self.sym("[") {
                expr = self.subscript(expr)?;
            } else if self.sym("|") {
                let Some(Token::Name(name)) = self.next() else { return Err("a filter's name is missing after `|`".to_owned()) };
                let mut args = vec![Arg { name: None, value: expr }];
                if self.sym("(") {
                    args.append(&mut self.args()?);
                }
                expr = self.call("filter", name, args)?;
            } else if self.word("is") {
                let negated = self.word("not");
                let Some(Token::Name(name)) = self.next() else { return Err("a test's name is missing after `is`".to_owned()) };
                let test = match name.as_str() {
                    "defined" => Test::Defined,
                    "undefined" => Test::Undefined,
                    "none" => Test::None,
                    "number" | "integer" | "float" => Test::Number,
                    "string" => Test::String,
                    "boolean" => Test::Boolean,
                    "mapping" => Test::Mapping,
                    "sequence" | "iterable" | "list" => Test::Sequence,
                    "true" => Test::True,
                    "false" => Test::False,
                    other => return Err(format!("the test `{other}` is not understood")),
                };
                expr = self.node(Expr::Test(Box::new(expr), test, negated))?;
            } else {
                return Ok(expr);
            }
        }
    }
    fn call(&mut self, what: &str, name: &str, args: Vec<Arg>) -> Result<Expr, String> {
        let function = Function::of(name).ok_or_else(|| format!("the {what} `{name}` is not understood"))?;
        self.node(Expr::Call(function, args))
    }
    /// After `[`.
    fn subscript(&mut self, expr: Expr) -> Result<Expr, String> {
        let from = if matches!(self.peek(), Some(Token::Sym(":"))) { None } else { Some(self.expr()?) };
        if self.sym(":") {
            let to = if matches!(self.peek(), Some(Token::Sym("]"))) { None } else { Some(Box::new(self.expr()?)) };
            self.expect("]")?;
            return self.node(Expr::Slice(Box::new(expr), from.map(Box::new), to));
        }
        self.expect("]")?;
        let Some(key) = from else { return Err("`[]` is empty".to_owned()) };
        self.node(Expr::Member(Box::new(expr), Box::new(key)))
    }
    /// After `(`.
    fn args(&mut self) -> Result<Vec<Arg>, String> {
        let mut args = Vec::new();
        while !self.sym(")") {
            let name = match (self.peek(), self.tokens.get(self.at + 1)) {
                (Some(Token::Name(name)), Some(Token::Sym("="))) => {
                    self.at += 2;
                    Some(name.clone())
                }
                _ => None,
            };
            args.push(Arg { name, value: self.expr()? });
            if !self.sym(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(args)
    }
    fn primary(&mut self) -> Result<Expr, String> {
        let expr = match self.next() {
            Some(Token::Int(n)) => Expr::Int(*n),
            Some(Token::Float(x)) => Expr::Float(*x),
            Some(Token::Str(s)) => {
                let mut text = s.clone();
                // Adjacent texts are one.
                while let Some(Token::Str(more)) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                Expr::Str(text)
            }
            Some(Token::Name(name)) => match name.as_str() {
                "true" | "True" => Expr::Bool(true),
                "false" | "False" => Expr::Bool(false),
                "none" | "None" => Expr::None,
                _ if self.sym("(") => {
                    let args = self.args()?;
                    return self.call("function", name, args);
                }
                _ => Expr::Name(name.clone()),
            },
            Some(Token::Sym("(")) => {
                let first = self.expr()?;
                if !self.sym(",") {
                    self.expect(")")?;
                    return Ok(first);
                }
                let mut list = vec![first];
                self.rest_of_list(&mut list, ")")?;
                Expr::List(list)
            }
            Some(Token::Sym("[")) => {
                let mut list = Vec::new();
                self.rest_of_list(&mut list, "]")?;
                Expr::List(list)
            }
            Some(Token::Sym("{")) => {
                let mut pairs = Vec::new();
                while !self.sym("}") {
                    let key = self.expr()?;
                    self.expect(":")?;
                    pairs.push((key, self.expr()?));
                    if !self.sym(",") {
                        self.expect("}")?;
                        break;
                    }
                }
                Expr::Dict(pairs)
            }
            Some(token) => return Err(format!("{} is not understood here", shown(token))),
            None => return Err("an expression is missing".to_owned()),
        };
        self.node(expr)
    }
    fn rest_of_list(&mut self, list: &mut Vec<Expr>, close: &str) -> Result<(), String> {
        while !self.sym(close) {
            list.push(self.expr()?);
            if !self.sym(",") {
                return self.expect(close);
            }
        }
        Ok(())
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Name(n) => format!("`{n}`"),
        Token::Int(n) => format!("`{n}`"),
        Token::Float(x) => format!("`{x}`"),
        Token::Str(_) => "a text".to_owned(),
        Token::Sym(s) => format!("`{s}`"),
    }
}
