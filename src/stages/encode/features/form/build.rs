//! Makes features of the keys that are given.

use super::super::category::{CategoryEncoding, Floor, Smooth};
use super::super::image::Image;
use super::super::numeric::{Impute, Lags, NumberSteps, Scale};
use super::super::sequence::Sequence;
use super::super::time::TimeFeature;
use super::super::tokens::{Layout, Tokens};
use super::words::ScaleForm;
use super::{Category, FeatureForm, Numeric};
use crate::stages::encode::Names;

impl FeatureForm {
    fn steps(&self) -> Result<NumberSteps, String> {
        let scale = match self.scale {
            None => Scale::Standard,
            Some(ScaleForm::Word(scale)) => scale,
            Some(ScaleForm::Number(_)) => {
                let words = "\"standard\", \"min_max\", \"robust\", \"quantile\" or \"none\"";
                return Err(format!("`scale` of numbers is {words}"));
            }
        };
        let of_quantiles =
            [("n_quantiles", self.n_quantiles.is_some()), ("output_distribution", self.output_distribution.is_some())];
        if let Some((key, _)) = of_quantiles.iter().find(|(_, given)| *given && scale != Scale::Quantile) {
            return Err(format!("`{key}` belongs to `scale = \"quantile\"`"));
        }
        Ok(NumberSteps {
            impute: self.impute.map_or(Impute::None, |form| form.0),
            clip: self.clip,
            transform: self.transform,
            scale,
            n_quantiles: self.n_quantiles,
            output_distribution: self.output_distribution.unwrap_or_default(),
        })
    }

    pub(super) fn numeric(self) -> Result<Numeric, String> {
        let steps = self.steps()?;
        let by = columns(&self.by, "by")?;
        let lags = match (self.lags, self.order) {
            (Some(lags), Some(order)) => Some(Lags { lags, order, by }),
            (Some(_), None) => return Err("`lags` needs `order`, the column that orders the rows".to_owned()),
            (None, Some(_)) => return Err("`order` belongs to `lags`, and to `sequence` features".to_owned()),
            (None, None) if !by.is_empty() => {
                return Err("`by` belongs to `lags`, and to `sequence` features".to_owned());
            }
            (None, None) => None,
        };
        let indicator = self.indicator.unwrap_or_default();
        Ok(Numeric { columns: self.numeric.unwrap_or_default(), steps, indicator, lags, shape: self.shape })
    }

    pub(super) fn category(self, given: &[&str]) -> Result<Category, String> {
        let category = self.categories(self.encode.unwrap_or_default());
        match category.stray(given) {
            Some(stray) => Err(stray),
            None => Ok(Category { columns: self.category.unwrap_or_default(), ..category }),
        }
    }

    /// The fields of categories, without columns.
    fn categories(&self, encode: CategoryEncoding) -> Category {
        Category {
            columns: Names::default(),
            encode,
            unknown: self.unknown.unwrap_or_default(),
            floor: Floor {
                min_count: self.min_count,
                min_frequency: self.min_frequency,
                max_categories: self.max_categories,
            },
            n_features: self.n_features,
            target: self.target.clone(),
            smooth: self.smooth.map_or(Smooth::Auto, |form| form.0),
            folds: self.folds,
        }
    }

    pub(super) fn time(self) -> TimeFeature {
        TimeFeature {
            columns: self.time.unwrap_or_default(),
            parts: self.parts,
            indicator: self.indicator.unwrap_or_default(),
        }
    }

    pub(super) fn sequence(self, given: &[&str]) -> Result<Sequence, String> {
        let category = match self.encode {
            None => None,
            Some(CategoryEncoding::Index) => Some(self.categories(CategoryEncoding::Index)),
            Some(_) => return Err("sequences of categories are encoded as \"index\"".to_owned()),
        };
        let numbers =
            ["scale", "impute", "clip", "transform", "n_quantiles", "output_distribution", "indicator"].as_slice();
        let categories = ["unknown", "min_count", "min_frequency", "max_categories"].as_slice();
        let (foreign, owner) =
            if category.is_some() { (numbers, "numbers") } else { (categories, "categories, encode = \"index\"") };
        if let Some(key) = given.iter().find(|key| foreign.contains(key)) {
            return Err(format!("`{key}` belongs to sequences of {owner}"));
        }
        let steps = self.steps()?;
        Ok(Sequence {
            by: columns(&self.by, "by")?,
            length: self.length.ok_or("a sequence needs its `length`, the number of its steps")?,
            columns: self.sequence.unwrap_or_default(),
            order: self.order,
            offset: self.offset.unwrap_or(0),
            steps,
            indicator: self.indicator.unwrap_or_default(),
            category,
        })
    }

    pub(super) fn tokens(self) -> Result<Tokens, String> {
        Ok(Tokens {
            tokenizer: self.tokenizer.ok_or("tokens need their `tokenizer`, a stage of that kind")?,
            columns: self.tokens.unwrap_or_default(),
            layout: Layout {
                max_length: self.max_length.ok_or("tokens need `max_length`, how many of them a row has")?,
                truncate: self.truncate.unwrap_or_default(),
                special_tokens: self.special_tokens.unwrap_or(true),
                pack: self.pack.unwrap_or(false),
            },
        })
    }

    pub(super) fn image(self) -> Result<Image, String> {
        let scale = match self.scale {
            None => 255.0,
            Some(ScaleForm::Number(scale)) => scale,
            Some(ScaleForm::Word(_)) => return Err("`scale` of an image is the number to divide pixels by".to_owned()),
        };
        let columns = self.columns.ok_or("an image needs `columns`, one per pixel: columns = \"pixel_*\"")?;
        Ok(Image { image: self.image.unwrap_or_default(), columns, scale })
    }
}

/// Names of columns that are no patterns.
fn columns(names: &Option<Names>, key: &str) -> Result<Vec<String>, String> {
    let names = names.clone().unwrap_or_default().0;
    match names.iter().find(|name| name.contains(['*', '?']) || name.starts_with('!')) {
        Some(pattern) => Err(format!("`{key}` takes names of columns, and `{pattern}` is a pattern")),
        None => Ok(names),
    }
}
