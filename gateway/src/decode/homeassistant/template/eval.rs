//! A template applied to a payload, with Home Assistant's meaning of its filters.
use super::value::{MAX_LIST, Res, Stop, Val, binary, cut, format, push, round, wrong};
use super::{Arg, Expr, Function, Json, MAX_TEXT, Node, Op, Rendered};
use std::borrow::Cow;

/// Bytes that the copies of a template's variables may take in all: lists of lists double with every `set`.
const MAX_COPIED: usize = 1 << 20;
struct Scope<'a> {
    payload: &'a str,
    json: Option<&'a Json>,
    set: Vec<(&'a str, Val<'a>)>,
    copied: usize,
}

pub(super) fn render(body: &[Node], payload: &str, json: Option<&Json>) -> Result<Rendered, String> {
    let mut scope = Scope { payload, json, set: Vec::new(), copied: 0 };
    let mut out = String::new();
    let mut said = false;
    match scope.nodes(body, &mut out, &mut said) {
        Ok(()) => {}
        Err(Stop::Nothing) => return Ok(Rendered::Nothing),
        Err(Stop::Wrong(reason)) => return Err(reason),
    }
    let text = out.trim();
    // `None` is what Home Assistant takes for unknown.
    if !said || text.is_empty() || text == "None" { Ok(Rendered::Nothing) } else { Ok(Rendered::Text(text.to_owned())) }
}

impl<'a> Scope<'a> {
    fn nodes(&mut self, body: &'a [Node], out: &mut String, said: &mut bool) -> Result<(), Stop> {
        for node in body {
            match node {
                Node::Text(text) => {
                    *said |= !text.trim().is_empty();
                    push(out, text)?;
                }
                Node::Output(expr) => match self.eval(expr)? {
                    // Jinja writes nothing for what is undefined.
                    Val::Undefined => {}
                    value => {
                        *said = true;
                        push(out, &value.text()?)?;
                    }
                },
                Node::Set(name, expr) => {
                    let value = self.eval(expr)?;
                    self.set.retain(|(n, _)| n != name);
                    self.set.push((name, value));
                }
                Node::If(branches) => {
                    for (condition, body) in branches {
                        let holds = match condition {
                            Some(expr) => self.eval(expr)?.truth(),
                            None => true,
                        };
                        if holds {
                            self.nodes(body, out, said)?;
                            break;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn eval(&mut self, expr: &'a Expr) -> Res<'a> {
        Ok(match expr {
            Expr::None => Val::None,
            Expr::Bool(b) => Val::Bool(*b),
            Expr::Int(n) => Val::Int(*n),
            Expr::Float(x) => Val::Float(*x),
            Expr::Str(s) => Val::Str(Cow::Borrowed(s)),
            Expr::Name(name) => match name.as_str() {
                _ if self.set.iter().any(|(n, _)| n == name) => {
                    let Some((_, value)) = self.set.iter().find(|(n, _)| n == name) else { return Ok(Val::Undefined) };
                    self.copied = self.copied.saturating_add(value.weight());
                    if self.copied > MAX_COPIED {
                        return wrong("the variables grow too long");
                    }
                    value.clone()
                }
                "value" => Val::Str(Cow::Borrowed(self.payload)),
                "value_json" => self.json.map_or(Val::Undefined, Val::of),
                _ => Val::Undefined,
            },
            Expr::List(list) => Val::List(list.iter().map(|e| self.eval(e)).collect::<Result<_, _>>()?),
            Expr::Dict(pairs) => Val::Dict(pairs.iter().map(|(k, v)| Ok((self.eval(k)?, self.eval(v)?))).collect::<Result<_, Stop>>()?),
            Expr::Member(of, key) => {
                let of = self.eval(of)?;
                let key = self.eval(key)?;
                of.member(&key)?
            }
            Expr::Slice(of, from, to) => {
                let of = self.eval(of)?;
                let from = from.as_ref().map(|e| self.eval(e)?.int()).transpose()?;
                let to = to.as_ref().map(|e| self.eval(e)?.int()).transpose()?;
                of.slice(from, to)?
            }
            Expr::Call(function, args) => self.call(*function, args)?,
            Expr::Test(of, test, negated) => {
                // Of a name below one that is undefined too.
                let of = match self.eval(of) {
                    Err(Stop::Nothing) => Val::Undefined,
                    other => other?,
                };
                Val::Bool(of.is(*test) != *negated)
            }
            Expr::Unary(Op::Not, of) => Val::Bool(!self.eval(of)?.truth()),
            Expr::Unary(op, of) => match (op, self.eval(of)?) {
                (Op::Neg, Val::Int(n)) => Val::Int(n.saturating_neg()),
                (Op::Neg, v) => Val::Float(-v.number()?),
                (_, v @ (Val::Int(_) | Val::Float(_))) => v,
                (_, v) => Val::Float(v.number()?),
            },
            Expr::Binary(Op::And, a, b) => {
                let a = self.eval(a)?;
                if a.truth() { self.eval(b)? } else { a }
            }
            Expr::Binary(Op::Or, a, b) => {
                let a = self.eval(a)?;
                if a.truth() { a } else { self.eval(b)? }
            }
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                binary(*op, a, b)?
            }
            Expr::Cond(condition, then, otherwise) => {
                if self.eval(condition)?.truth() {
                    self.eval(then)?
                } else {
                    match otherwise {
                        Some(e) => self.eval(e)?,
                        None => Val::Undefined,
                    }
                }
            }
        })
    }

    fn call(&mut self, function: Function, args: &'a [Arg]) -> Res<'a> {
        let mut positional = args.iter().filter(|a| a.name.is_none()).map(|a| &a.value);
        let named = |name: &str| args.iter().find(|a| a.name.as_deref() == Some(name)).map(|a| &a.value);
        let first = positional.next();
        let second = positional.next();
        let third = positional.next();
        // These two want to know whether there is a value.
        let subject = match first.map(|e| self.eval(e)).unwrap_or(Ok(Val::Undefined)) {
            Err(Stop::Nothing) if matches!(function, Function::Default | Function::Float | Function::Int) => Val::Undefined,
            other => other?,
        };
        let fallback = match function {
            Function::Float | Function::Int => second.or_else(|| named("default")),
            Function::Round => named("default"),
            Function::Get => third,
            _ => None,
        };
        let mut arg = |e: Option<&'a Expr>| e.map(|e| self.eval(e)).transpose();
        Ok(match function {
            Function::Default => {
                let also_empty = matches!(arg(third.or_else(|| named("boolean")))?, Some(v) if v.truth());
                match subject {
                    Val::Undefined => arg(second.or_else(|| named("default_value")))?.unwrap_or(Val::Str(Cow::Borrowed(""))),
                    v if also_empty && !v.truth() => arg(second)?.unwrap_or(Val::Str(Cow::Borrowed(""))),
                    v => v,
                }
            }
            Function::IsDefined => match subject {
                Val::Undefined => return Err(Stop::Nothing),
                v => v,
            },
            Function::IsNumber => Val::Bool(subject.number().is_ok_and(f64::is_finite)),
            Function::Float | Function::Int | Function::Round | Function::Abs => {
                let number = match subject {
                    Val::Undefined if fallback.is_none() => return Err(Stop::Nothing),
                    ref v => v.number(),
                };
                match (number, function) {
                    (Ok(x), Function::Float) => Val::Float(x),
                    (Ok(_), Function::Int) => Val::Int(subject.int()?),
                    (Ok(x), Function::Abs) => match subject {
                        Val::Int(n) => Val::Int(n.saturating_abs()),
                        _ => Val::Float(x.abs()),
                    },
                    (Ok(x), _) => {
                        let places = arg(second.or_else(|| named("precision")))?.map_or(Ok(0), |v| v.int())?.clamp(-12, 12);
                        let method = arg(third.or_else(|| named("method")))?
                            .map_or(Ok(Cow::Borrowed("common")), |v| v.text().map(|t| t.into_owned().into()))?;
                        round(x, places, &method)
                    }
                    (Err(stop), _) => match arg(fallback)? {
                        Some(v) => v,
                        None => return Err(stop),
                    },
                }
            }
            Function::Bool => match subject {
                Val::Bool(b) => Val::Bool(b),
                v => match v.text()?.trim().to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" | "enable" | "1" => Val::Bool(true),
                    "false" | "no" | "off" | "disable" | "0" => Val::Bool(false),
                    other => return wrong(format!("`{}` is neither true nor false", cut(other))),
                },
            },
            Function::Text => Val::Str(subject.text()?.into_owned().into()),
            Function::Lower => Val::Str(subject.text()?.to_lowercase().into()),
            Function::Upper => Val::Str(subject.text()?.to_uppercase().into()),
            Function::Title => {
                let text = subject.text()?.to_lowercase();
                let mut chars = text.chars();
                Val::Str(chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect::<String>().into())
            }
            Function::Trim => Val::Str(subject.text()?.trim().to_owned().into()),
            Function::Replace => {
                let (text, from, to) = (subject.text()?, arg(second)?, arg(third)?);
                let (Some(from), Some(to)) = (from, to) else { return wrong("`replace` wants two texts") };
                let (from, to) = (from.text()?, to.text()?);
                if from.is_empty() {
                    return Ok(Val::Str(text.into_owned().into()));
                }
                let grown = text.matches(from.as_ref()).count().saturating_mul(to.len()).saturating_add(text.len());
                if grown > MAX_TEXT {
                    return wrong("the text grows too long");
                }
                Val::Str(text.replace(from.as_ref(), &to).into())
            }
            Function::Length => match subject.members() {
                Some(n) => Val::Int(n as i64),
                None => Val::Int(subject.text()?.chars().count() as i64),
            },
            Function::First => subject.member(&Val::Int(0))?,
            Function::Last => subject.member(&Val::Int(-1))?,
            Function::Min | Function::Max | Function::Sum => {
                let mut numbers = Vec::new();
                match &subject {
                    Val::List(list) => numbers.extend(list.iter().map(Val::number)),
                    Val::Json(Json::Array(list)) => numbers.extend(list.iter().take(MAX_LIST).map(|v| Val::of(v).number())),
                    v => {
                        numbers.push(v.number());
                        for e in args.iter().skip(1) {
                            numbers.push(self.eval(&e.value)?.number());
                        }
                    }
                }
                let numbers = numbers.into_iter().collect::<Result<Vec<f64>, _>>()?;
                let found = match function {
                    Function::Sum => Some(numbers.iter().sum()),
                    Function::Min => numbers.into_iter().reduce(f64::min),
                    _ => numbers.into_iter().reduce(f64::max),
                };
                Val::Float(found.ok_or(Stop::Nothing)?)
            }
            Function::Join => {
                let separator = arg(second)?.map_or(Ok(Cow::Borrowed("")), |v| v.text().map(|t| t.into_owned().into()))?;
                let mut out = String::new();
                for i in 0..subject.members().unwrap_or(0).min(MAX_LIST) {
                    if i > 0 {
                        push(&mut out, &separator)?;
                    }
                    push(&mut out, &subject.member(&Val::Int(i as i64))?.text()?)?;
                }
                Val::Str(out.into())
            }
            Function::Split => {
                let separator = arg(second)?.map(|v| v.text().map(Cow::into_owned)).transpose()?;
                let text = subject.text()?.into_owned();
                let own = |s: &str| Val::Str(s.to_owned().into());
                Val::List(match separator.as_deref() {
                    Some("") => return wrong("an empty separator"),
                    Some(s) => text.split(s).take(MAX_LIST).map(own).collect(),
                    None => text.split_whitespace().take(MAX_LIST).map(own).collect(),
                })
            }
            Function::StartsWith | Function::EndsWith => {
                let Some(part) = arg(second)? else { return wrong("a text is missing") };
                let (text, part) = (subject.text()?, part.text()?);
                Val::Bool(if function == Function::StartsWith { text.starts_with(part.as_ref()) } else { text.ends_with(part.as_ref()) })
            }
            Function::Get => {
                let Some(key) = arg(second)? else { return wrong("a key is missing") };
                match subject.member(&key)? {
                    Val::Undefined => arg(fallback)?.unwrap_or(Val::None),
                    v => v,
                }
            }
            Function::Keys => match subject {
                Val::Json(Json::Object(map)) => Val::List(map.keys().take(MAX_LIST).map(|k| Val::Str(Cow::Borrowed(k))).collect()),
                Val::Dict(pairs) => Val::List(pairs.into_iter().map(|(k, _)| k).collect()),
                _ => return wrong("`keys` is for objects"),
            },
            Function::Iif => {
                if subject.truth() {
                    arg(second)?.unwrap_or(Val::Bool(true))
                } else {
                    arg(third)?.unwrap_or(Val::Bool(false))
                }
            }
            // Only of what is already read; to read again would double the memory.
            Function::FromJson => match subject {
                v @ (Val::Json(_) | Val::List(_) | Val::Dict(_)) => v,
                v => match self.json {
                    Some(json) if v.text()? == self.payload => Val::of(json),
                    _ => return wrong("`from_json` is understood of the whole payload only"),
                },
            },
            Function::BitwiseAnd | Function::BitwiseOr => {
                let Some(mask) = arg(second)? else { return wrong("a number is missing") };
                let (a, b) = (subject.int()?, mask.int()?);
                Val::Int(if function == Function::BitwiseAnd { a & b } else { a | b })
            }
            Function::Multiply | Function::AddFilter => {
                let Some(other) = arg(second)? else { return wrong("a number is missing") };
                Val::Float(if function == Function::Multiply {
                    subject.number()? * other.number()?
                } else {
                    subject.number()? + other.number()?
                })
            }
            Function::List => subject,
            Function::Elsewhere => return Err(Stop::Nothing),
            Function::Format => {
                let values = args.iter().skip(1).map(|a| self.eval(&a.value)).collect::<Result<Vec<_>, _>>()?;
                Val::Str(format(&subject.text()?, &values)?.into())
            }
        })
    }
}
