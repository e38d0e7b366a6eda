//! Recordings of real rooms: CSV with a `timestamp` column ("2015-02-09 07:30:00", local time) and one column per sensor.
use std::collections::BTreeMap;

/// One sensor's samples of one day, ascending: (seconds since local midnight, value).
pub type Series = Vec<(u32, f64)>;

/// A parsed recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    series: BTreeMap<(String, String), Series>,
}

impl Recording {
    /// # Errors
    /// Names the line and what is wrong with it.
    pub fn parse(csv: &str) -> Result<Recording, String> {
        let mut lines = csv.lines().enumerate();
        let (_, head) = lines.next().ok_or("the recording is empty; it needs a line of column names")?;
        let mut names = head.split(',');
        if names.next() != Some("timestamp") {
            return Err("line 1: the first column must be called `timestamp`".to_owned());
        }
        let names: Vec<&str> = names.collect();
        let mut recording = Recording::default();
        for (index, line) in lines.filter(|(_, l)| !l.trim().is_empty()) {
            let number = index.saturating_add(1);
            let mut cells = line.split(',');
            let (day, second) = cells
                .next()
                .and_then(timestamp)
                .ok_or_else(|| format!("line {number}: the first cell must be a time like 2015-02-09 07:30:00"))?;
            let values: Vec<f64> = cells
                .map(|c| c.trim().parse::<f64>().ok().filter(|v| v.is_finite()))
                .collect::<Option<_>>()
                .ok_or_else(|| format!("line {number}: every cell after the time must be a finite number"))?;
            if values.len() != names.len() {
                return Err(format!("line {number}: {} values for {} columns", values.len(), names.len()));
            }
            for (name, value) in names.iter().zip(values) {
                let series = recording.series.entry((day.to_owned(), (*name).to_owned())).or_default();
                if series.last().is_some_and(|(last, _)| *last >= second) {
                    return Err(format!("line {number}: the times of a day must ascend"));
                }
                series.push((second, value));
            }
        }
        Ok(recording)
    }

    /// The samples of one column on one day.
    pub fn series(&self, day: &str, column: &str) -> Option<&Series> {
        self.series.get(&(day.to_owned(), column.to_owned()))
    }
}

/// The newest sample at or before that second, else the first one. Never interpolated: what is replayed was measured.
pub fn sample(series: &[(u32, f64)], second: u32) -> Option<f64> {
    let after = series.partition_point(|(at, _)| *at <= second);
    series.get(after.saturating_sub(1)).map(|(_, value)| *value)
}

fn timestamp(cell: &str) -> Option<(&str, u32)> {
    let (day, clock) = cell.split_once(' ')?;
    let mut parts = clock.split(':').map(|p| p.parse::<u32>().ok());
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && day.len() == 10 && h < 24 && m < 60 && s < 60).then(|| (day, h * 3600 + m * 60 + s))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_DAYS: &str = "timestamp,co2,light\n2015-02-05 07:30:00,450,0\n2015-02-05 07:31:00,460.5,10\n2015-02-06 07:30:00,500,1\n";

    #[test]
    fn a_value_holds_until_the_next_one() {
        let r = Recording::parse(TWO_DAYS).unwrap();
        let co2 = r.series("2015-02-05", "co2").unwrap();
        let half_past = 7 * 3600 + 30 * 60;
        assert_eq!(sample(co2, 0), Some(450.0), "before the first sample: the first");
        assert_eq!(sample(co2, half_past + 59), Some(450.0));
        assert_eq!(sample(co2, half_past + 60), Some(460.5));
        assert_eq!(sample(co2, 86_399), Some(460.5));
        assert_eq!(sample(&[], 5), None);
        assert!(r.series("2015-02-05", "noise").is_none());
        assert!(r.series("2015-02-07", "co2").is_none());
    }

    #[test]
    fn a_wrong_line_is_named() {
        let wrong = [
            ("", "empty"),
            ("time,co2\n", "timestamp"),
            ("timestamp,co2\n2015-02-05 07:30,1\n", "line 2"),
            ("timestamp,co2\n2015-02-05 07:30:00,1\n2015-02-05 07:30:00,2\n", "ascend"),
            ("timestamp,co2\n2015-02-05 07:30:00,NaN\n", "finite"),
            ("timestamp,co2\n2015-02-05 07:30:00,1,2\n", "2 values for 1 columns"),
        ];
        for (csv, names) in wrong {
            let error = Recording::parse(csv).unwrap_err();
            assert!(error.contains(names), "{csv:?}: {error}");
        }
    }
}
