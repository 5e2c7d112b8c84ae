//! `swapctl trust set-threshold`: how many keys it takes.

use s_package::Pattern;
use s_package::trust::Rule;

use super::{EditArgs, edit};
use crate::output::{Answer, Failure};

/// Set in an update how many keys must sign.
///
/// Of all patterns that match a component, the highest threshold counts.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl trust set-threshold --trust trust.json next.json 2 --components 'security.*'\n  swapctl trust set-threshold --trust trust.json next.json 2 --root"
)]
pub(crate) struct Args {
    #[command(flatten)]
    edit: EditArgs,
    /// The number of different keys.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    threshold: u32,
    /// The components whose packages need so many.
    #[arg(long, value_name = "PATTERN", required_unless_present = "root")]
    components: Option<Pattern>,
    /// Set how many roots must sign trust updates instead.
    #[arg(long, conflicts_with = "components")]
    root: bool,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let threshold = args.threshold;
    edit(&args.edit, |document| {
        let Some(components) = args.components else {
            document.roots.threshold = threshold;
            return Ok(format!(
                "trust updates need {threshold} root keys from version {}",
                document.version
            ));
        };
        let done = format!(
            "packages of {components} need {threshold} keys in version {}",
            document.version
        );
        match document.rules.iter_mut().find(|rule| rule.components == components) {
            Some(rule) => rule.threshold = threshold,
            None => document.rules.push(Rule { components, threshold }),
        }
        Ok(done)
    })
}
