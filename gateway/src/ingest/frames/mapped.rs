//! Cameras that publish their pictures on topics of their own, described in the configuration:
//!
//! ```toml
//! [[vision.topic]]
//! topic = "esp32cam/{name}/picture"      # {captures} are whole levels; + any level
//! device = "cam.{name}"                  # id, from captures
//! pointer = "/image"                     # where the picture lies if it comes in a JSON object
//! ```
//! Whether a payload is a bare JPEG, base64, a `data:` URL or JSON is told by how it begins.
use super::payload::USUAL_POINTER;
use crate::decode::mapping::pattern::{Pattern, Template};
use crate::decode::prefixes;
use serde::{Deserialize, Serialize};
use tuoan_protocol::DeviceId;

/// One `[[vision.topic]]` as it stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSpec {
    pub topic: String,
    pub device: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// One ready for use.
pub struct Mapped {
    topic: Pattern,
    device: Template,
    pub(super) pointer: String,
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapped").field("pointer", &self.pointer).finish_non_exhaustive()
    }
}

impl Mapped {
    /// # Errors
    /// Every problem, each with its field.
    pub fn compile(spec: &TopicSpec) -> Result<Mapped, Vec<String>> {
        let mut problems = Vec::new();
        let topic = Pattern::parse(&spec.topic).map_err(|e| problems.push(format!("topic: {e}"))).unwrap_or_default();
        let device = Template::parse(&spec.device, &topic).map_err(|e| problems.push(format!("device: {e}"))).unwrap_or_default();
        if spec.topic.starts_with("tuoan/") {
            problems.push(
                "topic: tuoan/... is the product's own; cameras publish to tuoan/v1/<site>/<device>/frame without a mapping".to_owned(),
            );
        }
        if spec.device.starts_with('{') {
            problems.push(
                "device: begins with a capture, so that whoever may publish there could pass for any camera; begin it with a word of your own, e.g. \"cam.{name}\"".to_owned(),
            );
        }
        if let Some(prefix) = prefixes().find(|p| spec.device.starts_with(p)) {
            problems.push(format!(
                "device: ids that begin with {prefix:?} belong to another convention; choose a prefix of your own, e.g. \"cam.\""
            ));
        }
        let pointer = spec.pointer.clone().unwrap_or_else(|| USUAL_POINTER.to_owned());
        if !pointer.is_empty() && !pointer.starts_with('/') {
            problems.push(format!("pointer: {pointer:?} is no JSON pointer; it begins with /, e.g. \"/image\""));
        }
        if problems.is_empty() { Ok(Mapped { topic, device, pointer }) } else { Err(problems) }
    }

    pub(super) fn owner(&self, topic: &str) -> Option<DeviceId> {
        let id = DeviceId::new(&self.device.render(&self.topic.matches(topic)?)).ok()?;
        // A capture may make of `{name}` what the template alone did not show.
        (!prefixes().any(|p| id.as_str().starts_with(p))).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(topic: &str, device: &str, pointer: Option<&str>) -> TopicSpec {
        TopicSpec { topic: topic.to_owned(), device: device.to_owned(), pointer: pointer.map(str::to_owned) }
    }

    #[test]
    fn a_topic_names_its_device() {
        let mapped = Mapped::compile(&spec("esp/{room}/{n}/jpg", "cam.{room}-{n}", None)).unwrap();
        assert_eq!(mapped.owner("esp/hall/1/jpg").unwrap().as_str(), "cam.hall-1");
        assert!(mapped.owner("esp/hall/1/png").is_none() && mapped.owner("esp/a b/1/jpg").is_none());
        let problems = Mapped::compile(&spec("esp/{id}", "{id}", None)).unwrap_err();
        assert!(problems[0].contains("pass for any camera"), "{problems:?}");
        let own = Mapped::compile(&spec("esp/{id}", "z{id}", None)).unwrap();
        assert!(own.owner("esp/2m.0x00158d0001234567").is_none(), "another convention's");
    }

    #[test]
    fn every_problem_is_named() {
        let problems = Mapped::compile(&spec("tuoan/#/x", "frigate.{a}", Some("image"))).unwrap_err();
        for field in ["topic: ", "device: ", "pointer: "] {
            assert!(problems.iter().any(|p| p.starts_with(field)), "{field} {problems:?}");
        }
        assert!(Mapped::compile(&spec("esp/cam", "frigate.x", None)).unwrap_err()[0].contains("another convention"));
    }
}
