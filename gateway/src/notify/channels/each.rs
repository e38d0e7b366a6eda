//! Channels that send to one person after the other: what became of all is one answer, and who has got a message is not sent it again.
use super::{Address, Receipt, SendError};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Messages times persons that are remembered.
const REMEMBERED: usize = 1024;

/// Why one person did not get it.
pub enum Miss {
    /// This person cannot be reached there.
    Person(String),
    /// Not at present.
    Later(String, Option<Duration>),
    /// Nobody can be reached.
    All(SendError),
}

impl From<SendError> for Miss {
    fn from(e: SendError) -> Miss {
        Miss::All(e)
    }
}

/// Who has got which telling ([`crate::notify::Message::telling`]), so that trying again after a part has failed bothers only those who have not. Gone after a restart: then a message
/// may come twice, and says so.
#[derive(Default)]
pub struct Done(Mutex<VecDeque<(String, String)>>);

impl Done {
    fn has(&self, id: &str, person: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(i, p)| i == id && p == person)
    }
    fn add(&self, id: &str, person: &str) {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        done.push_back((id.to_owned(), person.to_owned()));
        if done.len() > REMEMBERED {
            done.pop_front();
        }
    }

    /// Sends the telling `id` to everybody with `send`, and sums up. Nobody to send to is a refusal: somebody believes to be told.
    pub async fn each<F>(&self, id: &str, to: &[Address], mut send: impl FnMut(Address) -> F) -> Result<Receipt, SendError>
    where
        F: Future<Output = Result<String, Miss>>,
    {
        if to.is_empty() {
            return Err(SendError::Refused { reason: "nobody has an address here; name persons in `to`".into() });
        }
        let mut receipt = Receipt::default();
        let mut later = None;
        let mut reached = 0usize;
        for address in to {
            if self.has(id, &address.person) {
                reached = reached.saturating_add(1);
                continue;
            }
            match send(address.clone()).await {
                Ok(text) => {
                    self.add(id, &address.person);
                    reached = reached.saturating_add(1);
                    if receipt.receipt.is_empty() {
                        receipt.receipt = text;
                    }
                }
                Err(Miss::Person(reason)) => receipt.refused.push((address.person.clone(), reason)),
                Err(Miss::Later(reason, after)) => {
                    later = Some(SendError::Retry { reason: format!("{}: {reason}", address.person), after })
                }
                Err(Miss::All(e)) => return Err(e),
            }
        }
        match (later, reached) {
            (Some(e), _) => Err(e),
            (None, 0) => {
                let reasons: Vec<String> = receipt.refused.iter().map(|(person, reason)| format!("{person}: {reason}")).collect();
                Err(SendError::Refused { reason: reasons.join("; ") })
            }
            _ => Ok(receipt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(people: &[&str]) -> Vec<Address> {
        people.iter().map(|p| Address { person: (*p).into(), address: format!("at-{p}") }).collect()
    }

    #[tokio::test]
    async fn who_has_it_is_not_sent_it_again() {
        let done = Done::default();
        let people = to(&["li", "wang", "zhao"]);
        let first = done.each("m", &people, |a: Address| async move {
            match a.person.as_str() {
                "li" => Ok("r1".to_owned()),
                "wang" => Err(Miss::Later("busy".into(), None)),
                _ => Err(Miss::Person("unknown".into())),
            }
        });
        assert_eq!(first.await, Err(SendError::Retry { reason: "wang: busy".into(), after: None }));
        let again = done.each("m", &people, |a: Address| async move {
            assert_ne!(a.person, "li");
            if a.person == "wang" { Ok("r2".to_owned()) } else { Err(Miss::Person("unknown".into())) }
        });
        let expected = Receipt { receipt: "r2".into(), refused: vec![("zhao".into(), "unknown".into())] };
        assert_eq!(again.await, Ok(expected));
    }

    #[tokio::test]
    async fn nobody_reached_is_no_success() {
        let done = Done::default();
        let refused = done.each("m", &to(&["li"]), |_: Address| async { Err(Miss::Person("unknown".into())) }).await;
        assert_eq!(refused, Err(SendError::Refused { reason: "li: unknown".into() }));
        assert!(done.each("m", &[], |_: Address| async { Ok(String::new()) }).await.is_err());
    }
}
