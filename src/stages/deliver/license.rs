//! Licences whose text kilter brings along. The texts under `licenses/` are those of the SPDX licence list, and of
//! apache.org, word for word.

/// A licence with its text.
#[derive(Clone, Copy, Debug)]
pub struct License {
    /// Its SPDX identifier.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its text, with the licence's own places for year and holder.
    text: &'static str,
    /// The words that stand for year and holder.
    holder: Option<&'static str>,
}

/// Every licence that kilter has the text of, sorted by identifier.
pub const LICENSES: &[License] = &[
    License {
        id: "Apache-2.0",
        name: "Apache License 2.0",
        text: include_str!("licenses/Apache-2.0.txt"),
        holder: None,
    },
    License {
        id: "BSD-3-Clause",
        name: "BSD 3-Clause \"New\" or \"Revised\" License",
        text: include_str!("licenses/BSD-3-Clause.txt"),
        holder: Some("<year> <owner>"),
    },
    License {
        id: "CC-BY-4.0",
        name: "Creative Commons Attribution 4.0 International",
        text: include_str!("licenses/CC-BY-4.0.txt"),
        holder: None,
    },
    License {
        id: "CC0-1.0",
        name: "Creative Commons Zero v1.0 Universal",
        text: include_str!("licenses/CC0-1.0.txt"),
        holder: None,
    },
    License {
        id: "MIT",
        name: "MIT License",
        text: include_str!("licenses/MIT.txt"),
        holder: Some("<year> <copyright holders>"),
    },
];

impl License {
    /// The licence of this identifier.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Self> {
        LICENSES.iter().find(|license| license.id == id)
    }

    /// Whether its text names the copyright holder, so that `authors` must be given.
    #[must_use]
    pub fn names_holder(&self) -> bool {
        self.holder.is_some()
    }

    /// Its full text, with the holder filled in where it has a place for one. No year is written: the Berne Convention
    /// asks for none, and a release has the same bytes whenever it is made.
    #[must_use]
    pub fn full_text(&self, holder: &str) -> String {
        match self.holder {
            Some(place) => self.text.replace(place, holder),
            None => self.text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_whole_and_places_are_filled() {
        let ends = [
            ("Apache-2.0", "limitations under the License."),
            ("BSD-3-Clause", "EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE."),
            ("CC-BY-4.0", "creativecommons.org."),
            ("CC0-1.0", "this CC0 or use of the Work."),
            ("MIT", "USE OR OTHER DEALINGS IN THE SOFTWARE."),
        ];
        for (license, (id, end)) in LICENSES.iter().zip(ends) {
            assert_eq!(license.id, id);
            let text = license.full_text("Ada Lovelace");
            assert!(text.trim_end().ends_with(end), "{id}: {:?}", &text[text.len() - 80..]);
            assert_eq!(text.contains("Ada Lovelace"), license.names_holder(), "{id}");
            assert!(!license.names_holder() || !text.contains('<'), "{id}");
        }
    }
}
