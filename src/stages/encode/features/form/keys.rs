//! Which keys belong to which encoding of a feature.

/// An encoding as the manifest knows it.
pub(super) struct EncodingKeys {
    /// The key that says what the feature is.
    pub key: &'static str,
    /// Every key that it takes, its own among them.
    pub takes: &'static [&'static str],
}

/// `key: keys…;` for every encoding, the fields of `FeatureForm`. Makes `ENCODINGS` of it.
macro_rules! key_lists {
    ($($encoding:ident: $($key:ident)*;)*) => {
        const ENCODINGS: &[keys::EncodingKeys] = &[$(keys::EncodingKeys {
            key: stringify!($encoding),
            takes: &[$(stringify!($key)),*],
        }),*];

        impl FeatureForm {
            /// The keys that are given, in the order of the list.
            fn given(&self) -> Vec<&'static str> {
                let mut given: Vec<&'static str> = Vec::new();
                $($(if self.$key.is_some() && !given.contains(&stringify!($key)) {
                    given.push(stringify!($key));
                })*)*
                given
            }
        }
    };
}
pub(super) use key_lists;

/// `` `numeric`, `category` and `image` ``
pub(super) fn words<'a>(encodings: impl Iterator<Item = &'a EncodingKeys>, last: &str) -> String {
    let keys: Vec<String> = encodings.map(|encoding| format!("`{}`", encoding.key)).collect();
    match keys.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => keys.concat(),
    }
}
