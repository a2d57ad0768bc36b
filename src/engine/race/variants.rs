//! The variants and sweeps of a race as they are written: a method by name, or a table with label, preset and settings.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// A method by name, or with a label and settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct VariantConfig {
    /// The method's name in the register.
    pub name: String,
    /// The name in tables and folders; by default the method's own label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Settings of the method by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, toml::Value>,
    /// Changes to the experiment for this variant alone, such as `"training.learning_rate" = 0.001`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, toml::Value>,
}

/// One method with one or two settings varied, drawn as curves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepConfig {
    /// The method's name in the register.
    pub method: String,
    /// By default the label and the names of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the labels of its points begin with; by default the method's own label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Settings of the method that are the same at all points.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, toml::Value>,
    /// Changes to the experiment that are the same at all points.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, toml::Value>,
    pub grid: Grid,
}

/// Settings and the values that each takes, in the order in which they are written: the first is the x axis.
///
/// A name with a dot is a path in the experiment (`"replay.capacity"`, in quotes), one without is a setting of the method.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid(pub Vec<(String, Vec<toml::Value>)>);

impl VariantConfig {
    /// A method as it is.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_string(), ..Self::default() }
    }
}

impl Serialize for VariantConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A bare name is written as it was read; the rest by the derived function of the same name.
        if *self == Self::named(&self.name) {
            serializer.serialize_str(&self.name)
        } else {
            Self::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for VariantConfig {
    /// By hand, since serde's untagged enums lose the name of an unknown field.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = VariantConfig;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a method, or a table such as { name = \"i_lora\", label = \"mine\" }")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<VariantConfig, E> {
                Ok(VariantConfig::named(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<VariantConfig, A::Error> {
                VariantConfig::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(NameOrTable)
    }
}

impl Serialize for Grid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, values)| (name, values)))
    }
}

impl<'de> Deserialize<'de> for Grid {
    /// TOML's tables are sorted by name, so the places in the file tell which setting was written first.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = BTreeMap::<String, toml::Spanned<toml::Value>>::deserialize(deserializer)?;
        let mut list: Vec<(String, toml::Spanned<toml::Value>)> = table.into_iter().collect();
        list.sort_by_key(|(_, values)| values.span().start);
        let values = |(name, value): (String, toml::Spanned<toml::Value>)| match value.into_inner() {
            toml::Value::Array(values) => Ok((name, values)),
            toml::Value::Table(_) => {
                Err(D::Error::custom(format!("put the whole path in quotes, such as \"{name}.capacity\" = [100, 500]")))
            }
            _ => Err(D::Error::custom(format!("`{name}` needs a list of values, such as {name} = [1, 2]"))),
        };
        Ok(Self(list.into_iter().map(values).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        methods: Vec<VariantConfig>,
        #[serde(default)]
        sweeps: Vec<SweepConfig>,
    }

    fn read(text: &str) -> Result<File, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_method_is_a_name_or_a_table_and_is_written_as_it_was_read() {
        let text = r#"methods = ["seq", { name = "i_lora", label = "mine", settings = { gamma = 0.5 }, set = { "lora.r" = 4 } }]"#;
        let file = read(text).unwrap();
        assert_eq!(file.methods[0], VariantConfig::named("seq"));
        let mine = &file.methods[1];
        assert_eq!((mine.name.as_str(), mine.label.as_deref()), ("i_lora", Some("mine")));
        assert_eq!((&mine.settings["gamma"], &mine.set["lora.r"]), (&0.5.into(), &4.into()));
        let written = toml::to_string_pretty(&file).unwrap();
        assert!(written.contains("\"seq\""), "a bare name stays one: {written}");
        assert_eq!(read(&written).unwrap(), file);
    }

    #[test]
    fn an_unknown_key_of_a_method_is_named() {
        let message = read("methods = [{ name = \"er\", setings = { } }]").unwrap_err();
        assert!(message.contains("unknown field `setings`") && message.contains("`settings`"), "{message}");
        let message = read("methods = [3]").unwrap_err();
        assert!(message.contains("the name of a method, or a table such as"), "{message}");
    }

    #[test]
    fn a_grid_keeps_the_order_in_which_it_is_written() {
        for (grid, expected) in [
            (r#"{ half_life_steps = [3, 10], "replay.capacity" = [100] }"#, ["half_life_steps", "replay.capacity"]),
            (r#"{ "replay.capacity" = [100], half_life_steps = [3, 10] }"#, ["replay.capacity", "half_life_steps"]),
            ("{ zeta = [1], alpha = [2] }", ["zeta", "alpha"]),
        ] {
            let file = read(&format!("methods = []\n[[sweeps]]\nmethod = \"i_lora\"\ngrid = {grid}\n")).unwrap();
            let names = |file: &File| file.sweeps[0].grid.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&file), expected, "{grid}");
            let written = toml::to_string_pretty(&file).unwrap();
            assert_eq!(read(&written).unwrap(), file, "{written}");
            assert_eq!(names(&read(&written).unwrap()), expected, "{written}");
        }
        let section = "methods = []\n[[sweeps]]\nmethod = \"er\"\n[sweeps.grid]\nzeta = [1]\nalpha = [2]\n";
        let names: Vec<String> =
            read(section).unwrap().sweeps.remove(0).grid.0.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["zeta", "alpha"]);
    }

    #[test]
    fn a_grid_without_lists_or_quotes_is_refused_with_the_way_to_write_it() {
        let refused = |grid: &str| {
            read(&format!("methods = []\n[[sweeps]]\nmethod = \"er\"\ngrid = {{ {grid} }}\n")).unwrap_err()
        };
        assert!(refused("gamma = 1").contains("`gamma` needs a list of values"));
        assert!(refused("replay.capacity = [1]").contains("put the whole path in quotes, such as \"replay.capacity\""));
    }
}
