//! What a stage has for each of its ports.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// One thing for each port, sorted by the ports' names. Nearly every stage has one port, and a run of 10,000 stages holds every
/// result: a map would take ten times the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByPort<T>(Vec<(String, T)>);

impl<T> Default for ByPort<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByPort<T> {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn place(&self, port: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(port))
    }

    /// What a port has.
    #[must_use]
    pub fn get(&self, port: &str) -> Option<&T> {
        self.place(port).ok().map(|at| &self.0[at].1)
    }

    /// Whether there is such a port.
    #[must_use]
    pub fn contains_key(&self, port: &str) -> bool {
        self.place(port).is_ok()
    }

    /// Puts something there; gives what was there before.
    pub fn insert(&mut self, port: String, value: T) -> Option<T> {
        match self.place(&port) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (port, value));
                None
            }
        }
    }

    /// The ports, with what they have.
    pub fn iter(&self) -> Iter<'_, T> {
        self.into_iter()
    }

    /// The ports' names.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(port, _)| port)
    }

    /// What the ports have.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    /// How many ports there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// The ports, with what they have.
pub type Iter<'a, T> = std::iter::Map<std::slice::Iter<'a, (String, T)>, fn(&'a (String, T)) -> (&'a String, &'a T)>;

fn pair<T>((port, value): &(String, T)) -> (&String, &T) {
    (port, value)
}

impl<'a, T> IntoIterator for &'a ByPort<T> {
    type Item = (&'a String, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(pair as fn(&'a (String, T)) -> (&'a String, &'a T))
    }
}

impl<T> std::ops::Index<&str> for ByPort<T> {
    type Output = T;

    fn index(&self, port: &str) -> &T {
        &self.0[self.place(port).unwrap_or(self.0.len())].1
    }
}

impl<T> FromIterator<(String, T)> for ByPort<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(ports: I) -> Self {
        let mut found = Self::new();
        for (port, value) in ports {
            found.insert(port, value);
        }
        found
    }
}

impl<T, const N: usize> From<[(String, T); N]> for ByPort<T> {
    fn from(ports: [(String, T); N]) -> Self {
        ports.into_iter().collect()
    }
}

impl<T: Serialize> Serialize for ByPort<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByPort<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ports<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Ports<T> {
            type Value = ByPort<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of ports")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ByPort<T>, A::Error> {
                let mut found = ByPort::new();
                while let Some((port, value)) = map.next_entry()? {
                    found.insert(port, value);
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Ports(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_sorted_by_name() {
        let mut ports: ByPort<u32> = [("b".to_owned(), 1), ("a".to_owned(), 2)].into();
        assert_eq!(ports.insert("b".to_owned(), 3), Some(1));
        assert_eq!(ports.iter().map(|(port, value)| format!("{port}{value}")).collect::<Vec<_>>(), ["a2", "b3"]);
        assert_eq!((ports.get("c"), ports.contains_key("a"), ports["b"], ports.len()), (None, true, 3, 2));
        let text = serde_json::to_string(&ports).unwrap();
        assert_eq!(text, "{\"a\":2,\"b\":3}");
        assert_eq!(serde_json::from_str::<ByPort<u32>>(&text).unwrap(), ports);
        assert!(serde_json::from_str::<ByPort<u32>>("[1]").unwrap_err().to_string().contains("a map of ports"));
    }
}
