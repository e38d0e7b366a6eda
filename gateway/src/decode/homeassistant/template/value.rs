//! Values of templates, with Python's and Jinja's meaning of their operators.
use super::{Json, MAX_TEXT, Op, Test};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Members of a list that a template may make.
pub const MAX_LIST: usize = 256;

#[derive(Debug, Clone)]
pub enum Val<'a> {
    Undefined,
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Cow<'a, str>),
    List(Vec<Val<'a>>),
    Dict(Vec<(Val<'a>, Val<'a>)>),
    /// An array or object of the payload.
    Json(&'a Json),
}

/// Why there is no value.
pub enum Stop {
    /// The payload does not hold what is asked for: not wrong, it says nothing of this.
    Nothing,
    Wrong(String),
}

pub type Res<'a> = Result<Val<'a>, Stop>;

pub fn wrong<T>(text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(text.into()))
}

pub fn push(out: &mut String, text: &str) -> Result<(), Stop> {
    if out.len().saturating_add(text.len()) > MAX_TEXT {
        return wrong("the text grows too long");
    }
    out.push_str(text);
    Ok(())
}

pub fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// `'%.1f' | format(x)` and `'{:.1f}'.format(x)`; of the conversions `d`, `f` and `s`, without their widths.
pub fn format(pattern: &str, values: &[Val<'_>]) -> Result<String, Stop> {
    let (mut out, mut rest, mut values) = (String::new(), pattern, values.iter());
    let braces = !pattern.contains('%');
    while let Some(at) = rest.find(if braces { '{' } else { '%' }) {
        push(&mut out, rest.get(..at).unwrap_or_default())?;
        let spec = rest.get(at + 1..).unwrap_or_default();
        if !braces && spec.starts_with('%') {
            push(&mut out, "%")?;
            rest = spec.get(1..).unwrap_or_default();
            continue;
        }
        let end = spec.find(|c: char| if braces { c == '}' } else { c.is_ascii_alphabetic() });
        let Some(end) = end else { return wrong("the format does not end") };
        let (inside, conversion) = if braces {
            let inside = spec.get(..end).unwrap_or_default();
            (inside, inside.chars().last().filter(char::is_ascii_alphabetic).unwrap_or('s'))
        } else {
            (spec.get(..end).unwrap_or_default(), spec.get(end..).and_then(|s| s.chars().next()).unwrap_or('s'))
        };
        rest = spec.get(end + 1..).unwrap_or_default();
        let Some(value) = values.next() else { return wrong("the format wants more values") };
        let places = inside.split_once('.').map(|(_, digits)| digits.trim_end_matches(|c: char| !c.is_ascii_digit()));
        let places = places.and_then(|digits| digits.parse().ok()).unwrap_or(6usize).min(12);
        let text = match conversion {
            'f' | 'F' => format!("{:.*}", places, value.number()?),
            'd' | 'i' => value.int()?.to_string(),
            's' => value.text()?.into_owned(),
            other => return wrong(format!("the format `{other}` is not understood")),
        };
        push(&mut out, &text)?;
    }
    push(&mut out, rest)?;
    Ok(out)
}

/// Python's `round`: half to even, unless `floor` or `ceil` are asked for.
pub fn round<'a>(x: f64, places: i64, method: &str) -> Val<'a> {
    let scale = 10f64.powi(i32::try_from(places).unwrap_or(0));
    let scaled = x * scale;
    let y = match method {
        "floor" => scaled.floor(),
        "ceil" => scaled.ceil(),
        "half" => (scaled * 2.0).round() / 2.0,
        _ => scaled.round_ties_even(),
    } / scale;
    let y = if y.is_finite() { y } else { x };
    if places == 0 && y.abs() < 9e15 { Val::Int(y as i64) } else { Val::Float(y) }
}

impl<'a> Val<'a> {
    pub fn of(json: &'a Json) -> Val<'a> {
        match json {
            Json::Null => Val::None,
            Json::Bool(b) => Val::Bool(*b),
            Json::Number(n) => n.as_i64().map(Val::Int).or_else(|| n.as_f64().map(Val::Float)).unwrap_or(Val::None),
            Json::String(s) => Val::Str(Cow::Borrowed(s)),
            compound => Val::Json(compound),
        }
    }

    /// Bytes that a copy takes, about.
    pub fn weight(&self) -> usize {
        32 + match self {
            Val::Str(s) => s.len(),
            Val::List(list) => list.iter().map(Val::weight).sum(),
            Val::Dict(pairs) => pairs.iter().map(|(k, v)| k.weight() + v.weight()).sum(),
            _ => 0,
        }
    }

    /// As Python writes it.
    pub fn text(&self) -> Result<Cow<'_, str>, Stop> {
        Ok(match self {
            Val::Undefined => Cow::Borrowed(""),
            Val::None => Cow::Borrowed("None"),
            Val::Bool(true) => Cow::Borrowed("True"),
            Val::Bool(false) => Cow::Borrowed("False"),
            Val::Int(n) => n.to_string().into(),
            Val::Float(x) => format!("{x:?}").into(),
            Val::Str(s) => Cow::Borrowed(s),
            Val::List(_) | Val::Dict(_) | Val::Json(_) => {
                return wrong("the value is a list or an object; the template must pick one of its members");
            }
        })
    }

    pub fn truth(&self) -> bool {
        match self {
            Val::Undefined | Val::None => false,
            Val::Bool(b) => *b,
            Val::Int(n) => *n != 0,
            Val::Float(x) => *x != 0.0,
            Val::Str(s) => !s.is_empty(),
            other => other.members() != Some(0),
        }
    }

    /// A number, or a text that is one.
    pub fn number(&self) -> Result<f64, Stop> {
        match self {
            Val::Undefined => Err(Stop::Nothing),
            Val::Bool(b) => Ok(f64::from(u8::from(*b))),
            Val::Int(n) => Ok(*n as f64),
            Val::Float(x) => Ok(*x),
            Val::Str(s) => match s.trim().parse() {
                Ok(x) => Ok(x),
                Err(_) => wrong(format!("`{}` is no number", cut(s))),
            },
            _ => wrong("the value is no number"),
        }
    }

    pub fn int(&self) -> Result<i64, Stop> {
        match self {
            Val::Int(n) => Ok(*n),
            other => match other.number()?.trunc() {
                x if x.abs() < 9e18 => Ok(x as i64),
                _ => wrong("the number is too large"),
            },
        }
    }

    pub fn members(&self) -> Option<usize> {
        match self {
            Val::List(list) => Some(list.len()),
            Val::Dict(pairs) => Some(pairs.len()),
            Val::Json(Json::Array(list)) => Some(list.len()),
            Val::Json(Json::Object(map)) => Some(map.len()),
            _ => None,
        }
    }

    /// Undefined where there is no such member; nothing where there is nothing to have one.
    pub fn member(&self, key: &Val<'a>) -> Res<'a> {
        let place = |length: usize, n: i64| usize::try_from(if n < 0 { n.saturating_add(length as i64) } else { n }).ok();
        Ok(match (self, key) {
            (Val::Undefined | Val::None, _) => return Err(Stop::Nothing),
            (Val::Json(Json::Object(map)), Val::Str(key)) => map.get(key.as_ref()).map_or(Val::Undefined, Val::of),
            (Val::Json(Json::Object(map)), Val::Int(n)) => map.get(&n.to_string()).map_or(Val::Undefined, Val::of),
            (Val::Json(Json::Array(list)), key) => match key.int() {
                Ok(n) => place(list.len(), n).and_then(|i| list.get(i)).map_or(Val::Undefined, Val::of),
                Err(_) => Val::Undefined,
            },
            (Val::List(list), key) => match key.int() {
                Ok(n) => place(list.len(), n).and_then(|i| list.get(i)).cloned().unwrap_or(Val::Undefined),
                Err(_) => Val::Undefined,
            },
            (Val::Dict(pairs), key) => pairs.iter().find(|(k, _)| same(k, key)).map_or(Val::Undefined, |(_, v)| v.clone()),
            (Val::Str(s), Val::Int(n)) => {
                let at = place(s.chars().count(), *n);
                at.and_then(|i| s.chars().nth(i)).map_or(Val::Undefined, |c| Val::Str(c.to_string().into()))
            }
            _ => Val::Undefined,
        })
    }

    pub fn slice(&self, from: Option<i64>, to: Option<i64>) -> Res<'a> {
        let range = |length: usize| {
            let length = i64::try_from(length).unwrap_or(i64::MAX);
            let clamp = |n: i64| usize::try_from((if n < 0 { n.saturating_add(length) } else { n }).clamp(0, length)).unwrap_or(0);
            let (from, to) = (clamp(from.unwrap_or(0)), clamp(to.unwrap_or(length)));
            (from, to.saturating_sub(from))
        };
        Ok(match self {
            Val::Str(s) => {
                let (skip, take) = range(s.chars().count());
                Val::Str(s.chars().skip(skip).take(take).collect::<String>().into())
            }
            Val::List(list) => {
                let (skip, take) = range(list.len());
                Val::List(list.iter().skip(skip).take(take).cloned().collect())
            }
            Val::Json(Json::Array(list)) => {
                let (skip, take) = range(list.len());
                Val::List(list.iter().skip(skip).take(take.min(MAX_LIST)).map(Val::of).collect())
            }
            Val::Undefined | Val::None => return Err(Stop::Nothing),
            _ => return wrong("only a text or a list has slices"),
        })
    }

    pub fn is(&self, test: Test) -> bool {
        match test {
            Test::Defined => !matches!(self, Val::Undefined),
            Test::Undefined => matches!(self, Val::Undefined),
            Test::None => matches!(self, Val::None),
            Test::Number => matches!(self, Val::Int(_) | Val::Float(_) | Val::Bool(_)),
            Test::String => matches!(self, Val::Str(_)),
            Test::Boolean => matches!(self, Val::Bool(_)),
            Test::Mapping => matches!(self, Val::Dict(_) | Val::Json(Json::Object(_))),
            Test::Sequence => matches!(self, Val::List(_) | Val::Str(_) | Val::Json(Json::Array(_))),
            Test::True => matches!(self, Val::Bool(true)),
            Test::False => matches!(self, Val::Bool(false)),
        }
    }
}

pub fn same(a: &Val<'_>, b: &Val<'_>) -> bool {
    match (a, b) {
        (Val::Undefined, Val::Undefined) | (Val::None, Val::None) => true,
        (Val::Str(a), Val::Str(b)) => a == b,
        (Val::Str(_), _) | (_, Val::Str(_)) => false,
        (Val::Bool(_) | Val::Int(_) | Val::Float(_), Val::Bool(_) | Val::Int(_) | Val::Float(_)) => {
            matches!((a.number(), b.number()), (Ok(a), Ok(b)) if a == b)
        }
        _ => false,
    }
}

fn order(a: &Val<'_>, b: &Val<'_>) -> Result<Option<Ordering>, Stop> {
    Ok(match (a, b) {
        (Val::Str(a), Val::Str(b)) => Some(a.as_ref().cmp(b.as_ref())),
        (Val::Str(_), Val::Int(_) | Val::Float(_)) | (Val::Int(_) | Val::Float(_), Val::Str(_)) => {
            return wrong("a text is compared with a number; the template must say `| float`");
        }
        _ => a.number()?.partial_cmp(&b.number()?),
    })
}

fn contains(list: &Val<'_>, item: &Val<'_>) -> Result<bool, Stop> {
    Ok(match list {
        Val::Str(text) => text.contains(item.text()?.as_ref()),
        Val::List(list) => list.iter().any(|v| same(v, item)),
        Val::Dict(pairs) => pairs.iter().any(|(k, _)| same(k, item)),
        Val::Json(Json::Array(list)) => list.iter().any(|v| same(&Val::of(v), item)),
        Val::Json(Json::Object(map)) => map.contains_key(item.text()?.as_ref()),
        Val::Undefined => return Err(Stop::Nothing),
        _ => return wrong("`in` wants a list or a text"),
    })
}

pub fn binary<'a>(op: Op, a: Val<'a>, b: Val<'a>) -> Res<'a> {
    use Ordering::{Greater, Less};
    Ok(match op {
        Op::Eq => Val::Bool(same(&a, &b)),
        Op::Ne => Val::Bool(!same(&a, &b)),
        Op::Lt => Val::Bool(order(&a, &b)? == Some(Less)),
        Op::Le => Val::Bool(matches!(order(&a, &b)?, Some(o) if o != Greater)),
        Op::Gt => Val::Bool(order(&a, &b)? == Some(Greater)),
        Op::Ge => Val::Bool(matches!(order(&a, &b)?, Some(o) if o != Less)),
        Op::In => Val::Bool(contains(&b, &a)?),
        Op::NotIn => Val::Bool(!contains(&b, &a)?),
        Op::Concat => joined(&a, &b)?,
        Op::Add if matches!((&a, &b), (Val::Str(_), Val::Str(_))) => joined(&a, &b)?,
        _ => {
            if let (Val::Int(x), Val::Int(y)) = (&a, &b) {
                let exact = match op {
                    Op::Add => x.checked_add(*y),
                    Op::Sub => x.checked_sub(*y),
                    Op::Mul => x.checked_mul(*y),
                    Op::FloorDiv => x.checked_div_euclid(*y).filter(|_| *y > 0),
                    Op::Mod => x.checked_rem_euclid(*y).filter(|_| *y > 0),
                    _ => None,
                };
                if let Some(n) = exact {
                    return Ok(Val::Int(n));
                }
            }
            if matches!(a, Val::Str(_)) || matches!(b, Val::Str(_)) {
                return wrong("a text is reckoned with; the template must say `| float`");
            }
            let (x, y) = (a.number()?, b.number()?);
            if y == 0.0 && matches!(op, Op::Div | Op::FloorDiv | Op::Mod) {
                return wrong("a division by zero");
            }
            Val::Float(match op {
                Op::Add => x + y,
                Op::Sub => x - y,
                Op::Mul => x * y,
                Op::Div => x / y,
                Op::FloorDiv => (x / y).floor(),
                Op::Mod => x - (x / y).floor() * y,
                _ => x.powf(y),
            })
        }
    })
}

fn joined<'a>(a: &Val<'a>, b: &Val<'a>) -> Res<'a> {
    let mut text = a.text()?.into_owned();
    push(&mut text, &b.text()?)?;
    Ok(Val::Str(text.into()))
}
