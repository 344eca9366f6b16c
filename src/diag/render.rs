//! x
pub enum Format {
    Human,
}
pub fn render() {}
