//! What the platform answers when it is asked, over HTTP like any other reader.
use super::report::Arrived;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Rows asked for at a time.
const PAGE: usize = 500;
/// Longest list that is read: far above any day, so that a server that repeats itself does not keep us for ever.
const MOST: usize = 100_000;
/// As the platform names the transition that opens an incident.
const OPENED: &str = "opened";

/// How to reach it.
#[derive(Clone)]
pub struct FarEnd {
    http: Client,
    /// Without a slash at the end.
    url: String,
    site: String,
    reader_token: String,
    influx_org: String,
    influx_bucket: String,
    influx_token: String,
}

/// Where the metrics went.
#[derive(Clone)]
pub struct Bucket {
    pub org: String,
    pub bucket: String,
    pub token: String,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Event>,
    next: Option<i64>,
}
#[derive(Deserialize)]
struct Event {
    id: String,
    r#type: String,
    incident: Option<String>,
}
#[derive(Deserialize)]
struct Incidents {
    incidents: Vec<Incident>,
    next: Option<String>,
}
#[derive(Deserialize)]
struct Incident {
    id: String,
    hazard: String,
    place: Place,
    origin: String,
}
#[derive(Deserialize)]
struct Place {
    zone: String,
}

/// What it holds of one site.
#[derive(Debug, Default)]
pub struct Holding {
    /// Ids of incident events, in the order of their arrival.
    pub events: Vec<String>,
    pub incidents: Vec<Arrived>,
}

impl FarEnd {
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str, site: &str, reader_token: &str, bucket: Bucket) -> Result<FarEnd, String> {
        let http = Client::builder().timeout(TIMEOUT).build().map_err(|e| format!("no HTTP client can be made: {e}"))?;
        Ok(FarEnd {
            http,
            url: url.trim_end_matches('/').to_owned(),
            site: site.to_owned(),
            reader_token: reader_token.to_owned(),
            influx_org: bucket.org,
            influx_bucket: bucket.bucket,
            influx_token: bucket.token,
        })
    }

    /// Everything it holds of the site.
    ///
    /// # Errors
    /// When it does not answer, or not with what it should.
    pub async fn holding(&self) -> Result<Holding, String> {
        let mut events: Vec<Event> = Vec::new();
        let mut after = 0i64;
        while events.len() < MOST {
            let query = [("site", self.site.clone()), ("after", after.to_string()), ("limit", PAGE.to_string())];
            let page: Events = self.get("/v1/events", &query).await?;
            let full = page.events.len() >= PAGE;
            events.extend(page.events);
            match page.next {
                Some(next) if full && next > after => after = next,
                _ => break,
            }
        }
        let mut openings: BTreeMap<String, u64> = BTreeMap::new();
        for incident in events.iter().filter(|e| e.r#type == OPENED).filter_map(|e| e.incident.as_ref()) {
            let n = openings.entry(incident.clone()).or_default();
            *n = n.saturating_add(1);
        }
        let mut incidents = Vec::new();
        let mut after: Option<String> = None;
        while incidents.len() < MOST {
            let mut query = vec![("state", "all".to_owned()), ("site", self.site.clone()), ("limit", PAGE.to_string())];
            query.extend(after.take().map(|a| ("after", a)));
            let page: Incidents = self.get("/v1/incidents", &query).await?;
            // What the platform itself notices (a silent gateway) is not of the site's log.
            incidents.extend(page.incidents.into_iter().filter(|i| i.origin == "site").map(|i| Arrived {
                openings: openings.get(&i.id).copied().unwrap_or(0),
                id: i.id,
                hazard: i.hazard,
                zone: i.place.zone,
            }));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let events = events.into_iter().filter(|e| e.incident.is_some()).map(|e| e.id).collect();
        Ok(Holding { events, incidents })
    }

    /// How many points the metrics endpoint counts: field values, as InfluxDB counts them.
    ///
    /// # Errors
    /// As [`FarEnd::holding`].
    pub async fn points(&self) -> Result<u64, String> {
        let flux = format!("from(bucket: {:?}) |> range(start: 0, stop: 2100-01-01T00:00:00Z) |> count()", self.influx_bucket);
        let url = self.address("/api/v2/query", &[("org", self.influx_org.clone())])?;
        let request = self
            .http
            .post(url)
            .header("Authorization", format!("Token {}", self.influx_token))
            .header("Content-Type", "application/vnd.flux")
            .header("Accept", "application/csv")
            .body(flux);
        sum_of_values(&text("the count of points", request).await?)
    }

    fn address(&self, path: &str, query: &[(&str, String)]) -> Result<Url, String> {
        let address = format!("{}{path}", self.url);
        Url::parse_with_params(&address, query).map_err(|e| format!("{address} is no address: {e}"))
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, String> {
        let request = self.http.get(self.address(path, query)?).bearer_auth(&self.reader_token);
        let body = text(path, request).await?;
        serde_json::from_str(&body).map_err(|e| format!("{path}: the platform's answer is not what it should be: {e}"))
    }
}

async fn text(what: &str, request: RequestBuilder) -> Result<String, String> {
    let answer = request.send().await.map_err(|e| format!("{what}: the platform does not answer: {e}"))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|e| format!("{what}: the answer broke off: {e}"))?;
    if status.is_success() { Ok(body) } else { Err(format!("{what}: the platform answers {status}: {body}")) }
}

/// The sum of `_value` over all tables of an annotated CSV answer. Each table has its own line of column names.
fn sum_of_values(csv: &str) -> Result<u64, String> {
    let mut column: Option<usize> = None;
    let mut total = 0u64;
    for line in csv.lines().map(|l| l.trim_end_matches('\r')) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // Of a count's columns only tags could hold a quoted comma, and they never do: names of sites, zones and devices.
        let cells: Vec<&str> = line.split(',').collect();
        if let Some(at) = cells.iter().position(|c| *c == "_value") {
            column = Some(at);
            continue;
        }
        let value = column.and_then(|at| cells.get(at)).ok_or("the count of points: the answer has no column _value")?;
        let value: u64 = value.trim().parse().map_err(|_| format!("the count of points: {value:?} is no count"))?;
        total = total.saturating_add(value);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_tables_are_added_up() {
        let csv = "#datatype,string,long,string,long\r\n#group,false,false,true,false\r\n#default,_result,,,\r\n\
                   ,result,table,_field,_value\r\n,,0,co2,12\r\n,,1,humidity,30\r\n\r\n\
                   ,result,table,_value,device\r\n,,2,8,a\r\n";
        assert_eq!(sum_of_values(csv), Ok(50));
        assert_eq!(sum_of_values(""), Ok(0));
        assert!(sum_of_values("a,b\n1,2\n").is_err());
        assert!(sum_of_values(",result,_value\n,,x\n").unwrap_err().contains("no count"));
    }
}
