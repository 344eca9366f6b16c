//! Tables that are not kept, as leaves of the plans over them. A plan over such a table is made without looking into the plan that
//! makes it: else each of a chain of tables would be planned anew, whole, for every table after it. Plan and table become one where
//! they run, and a table that is used twice is computed once.

use polars::prelude::*;
use polars_plan::dsl::FileScanDsl;
use std::any::Any;
use std::collections::HashMap;

/// A table's plan, where another stands on it.
struct Leaf {
    plan: LazyFrame,
}

impl AnonymousScan for Leaf {
    fn as_any(&self) -> &dyn Any {
        self
    }

    /// Only where [`joined`] does not know the node that stands over it: right, but nothing is pushed into the plan.
    fn scan(&self, _: AnonymousScanArgs) -> PolarsResult<DataFrame> {
        joined(self.plan.clone(), true).collect()
    }
}

/// A plan as a leaf of others, whose columns are known.
///
/// # Errors
/// When its schema cannot be resolved.
pub(super) fn leaf(mut plan: LazyFrame) -> PolarsResult<LazyFrame> {
    let args = ScanArgsAnonymous { schema: Some(plan.collect_schema()?), ..ScanArgsAnonymous::default() };
    LazyFrame::anonymous_scan(Arc::new(Leaf { plan }), args)
}

/// A plan with the plans of its leaves in their places. With `shared`, what is used more than once is computed once and waits in
/// memory for its last user.
pub(crate) fn joined(lf: LazyFrame, shared: bool) -> LazyFrame {
    let mut uses = HashMap::new();
    count(&lf.logical_plan, &mut uses);
    if uses.is_empty() {
        return lf;
    }
    let optimizations = lf.get_current_optimizations();
    let plan = Joiner { uses, shared, statistics: true, made: HashMap::new() }.plan(&lf.logical_plan);
    LazyFrame::from(plan).with_optimizations(optimizations)
}

/// A plan whose files are not asked for the smallest and largest values of their parts.
pub(super) fn without_statistics(lf: &LazyFrame) -> LazyFrame {
    let optimizations = lf.get_current_optimizations();
    let mut joiner = Joiner { uses: HashMap::new(), shared: false, statistics: false, made: HashMap::new() };
    LazyFrame::from(joiner.plan(&lf.logical_plan)).with_optimizations(optimizations)
}

/// Leaves are told apart by where they lie.
type Place = *const Leaf;

fn leaf_of(plan: &DslPlan) -> Option<&Leaf> {
    let DslPlan::Scan { scan_type, .. } = plan else { return None };
    let FileScanDsl::Anonymous { function, .. } = &**scan_type else { return None };
    function.as_any().downcast_ref()
}

/// How often each leaf is used, directly or by others.
fn count(plan: &DslPlan, uses: &mut HashMap<Place, usize>) {
    for node in plan {
        if let Some(leaf) = leaf_of(node) {
            let times = uses.entry(std::ptr::from_ref(leaf)).or_default();
            *times += 1;
            if *times == 1 {
                count(&leaf.plan.logical_plan, uses);
            }
        }
        for plan in exprs_of(node).flat_map(|expr| expr.into_iter()).filter_map(subplan) {
            count(plan, uses);
        }
    }
}

fn subplan(expr: &Expr) -> Option<&DslPlan> {
    match expr {
        Expr::SubPlan(plan, _) => Some(plan),
        _ => None,
    }
}

/// The expressions in which SQL has plans.
fn exprs_of(node: &DslPlan) -> impl Iterator<Item = &Expr> {
    let (exprs, one): (&[Expr], Option<&Expr>) = match node {
        DslPlan::Filter { predicate, .. } => (&[], Some(predicate)),
        DslPlan::Select { expr: exprs, .. } | DslPlan::HStack { exprs, .. } => (exprs, None),
        _ => (&[], None),
    };
    exprs.iter().chain(one)
}

struct Joiner {
    uses: HashMap<Place, usize>,
    shared: bool,
    /// Whether files are asked for their statistics.
    statistics: bool,
    /// The plans of leaves that are used more than once.
    made: HashMap<Place, DslPlan>,
}

impl Joiner {
    fn plan(&mut self, plan: &DslPlan) -> DslPlan {
        if let DslPlan::IR { dsl, .. } = plan {
            return self.plan(dsl);
        }
        if let Some(leaf) = leaf_of(plan) {
            return self.leaf(leaf);
        }
        let mut made = plan.clone();
        match &mut made {
            DslPlan::Scan { scan_type, cached_ir, .. } if !self.statistics => {
                if let FileScanDsl::Parquet { options } = scan_type.as_mut() {
                    options.use_statistics = false;
                    *cached_ir = Arc::default();
                }
            }
            DslPlan::Filter { input, predicate } => {
                self.arc(input);
                self.expr(predicate);
            }
            DslPlan::Select { input, expr: exprs, .. } | DslPlan::HStack { input, exprs, .. } => {
                self.arc(input);
                exprs.iter_mut().for_each(|expr| self.expr(expr));
            }
            DslPlan::Cache { input, .. }
            | DslPlan::GroupBy { input, .. }
            | DslPlan::Distinct { input, .. }
            | DslPlan::Sort { input, .. }
            | DslPlan::Slice { input, .. }
            | DslPlan::MapFunction { input, .. }
            | DslPlan::MatchToSchema { input, .. }
            | DslPlan::Pivot { input, .. }
            | DslPlan::Sink { input, .. } => self.arc(input),
            DslPlan::Join { input_left, input_right, .. } => {
                self.arc(input_left);
                self.arc(input_right);
            }
            DslPlan::Gather { input, idxs, .. } => {
                self.arc(input);
                self.arc(idxs);
            }
            DslPlan::ExtContext { input, contexts } => {
                self.arc(input);
                contexts.iter_mut().for_each(|input| *input = self.plan(input));
            }
            DslPlan::Union { inputs, .. } | DslPlan::HConcat { inputs, .. } | DslPlan::SinkMultiple { inputs } => {
                inputs.iter_mut().for_each(|input| *input = self.plan(input));
            }
            _ => {}
        }
        made
    }

    fn leaf(&mut self, leaf: &Leaf) -> DslPlan {
        let place = std::ptr::from_ref(leaf);
        if let Some(made) = self.made.get(&place) {
            return made.clone();
        }
        let plan = self.plan(&leaf.plan.logical_plan);
        if !self.shared || self.uses.get(&place).is_none_or(|uses| *uses < 2) {
            return plan;
        }
        let plan = LazyFrame::from(plan).cache().logical_plan;
        self.made.insert(place, plan.clone());
        plan
    }

    fn arc(&mut self, input: &mut Arc<DslPlan>) {
        *input = Arc::new(self.plan(input));
    }

    fn expr(&mut self, expr: &mut Expr) {
        if expr.into_iter().all(|node| subplan(node).is_none()) {
            return;
        }
        *expr = std::mem::take(expr).map_expr(|node| match node {
            Expr::SubPlan(plan, names) => Expr::SubPlan(SpecialEq::new(Arc::new(self.plan(&plan))), names),
            other => other,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_can_be_run_without_the_statistics_of_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.parquet");
        let mut df = df!["s" => ["2024-01-01", "2024-02-01"]].expect("a frame");
        let file = std::fs::File::create(&path).expect("a file");
        ParquetWriter::new(file).with_statistics(StatisticsOptions::full()).finish(&mut df).expect("written");
        let scan = super::super::read::scan_parquet(&path).expect("a scan");
        let plan = without_statistics(&scan.filter(col("s").gt(lit("2024-01-15"))));
        let DslPlan::Filter { input, .. } = &plan.logical_plan else { panic!("a filter") };
        let DslPlan::Scan { scan_type, .. } = input.as_ref() else { panic!("a scan") };
        assert!(matches!(scan_type.as_ref(), FileScanDsl::Parquet { options } if !options.use_statistics));
        assert_eq!(plan.collect().expect("it runs").height(), 1);
    }

    fn numbers() -> LazyFrame {
        let df = df!["a" => [1, 2, 3], "b" => [1.5, 2.5, 3.5]].expect("a frame");
        leaf(df.lazy().filter(col("a").gt(lit(1)))).expect("a leaf")
    }

    fn scans(lf: &LazyFrame) -> usize {
        let mut uses = HashMap::new();
        count(&lf.logical_plan, &mut uses);
        uses.values().sum()
    }

    #[test]
    fn a_leaf_is_replaced_by_its_plan_wherever_it_stands() {
        let over = numbers().with_column((col("b") * lit(2)).alias("c")).sort(["c"], SortMultipleOptions::default());
        let over = leaf(over).expect("a leaf").select([col("c").sum()]);
        assert_eq!(scans(&over), 2);
        let whole = joined(over.clone(), true);
        assert_eq!(scans(&whole), 0);
        let expected = df!["c" => [12.0]].expect("a frame");
        assert!(whole.collect().expect("it runs").equals(&expected));
        assert!(over.collect().expect("a leaf can run by itself").equals(&expected));
    }

    #[test]
    fn what_is_used_twice_is_shared_where_that_is_allowed() {
        let table = numbers();
        let twice = table.clone().join(table, [col("a")], [col("a")], JoinArgs::new(JoinType::Inner));
        let caches = |lf: &LazyFrame| {
            (&lf.logical_plan).into_iter().filter(|node| matches!(node, DslPlan::Cache { .. })).count()
        };
        let (shared, apart) = (joined(twice.clone(), true), joined(twice, false));
        assert_eq!((caches(&shared), caches(&apart)), (2, 0));
        assert!(shared.collect().expect("it runs").equals(&apart.collect().expect("it runs")));
    }

    /// Each of these tables is joined with itself: written out they were a million.
    #[test]
    fn a_plan_grows_with_its_tables_and_not_with_the_ways_through_them() {
        let mut lf = leaf(df!["a" => [1, 2]].expect("a frame").lazy()).expect("a leaf");
        for _ in 0..20 {
            let both = lf.clone().join(lf, [col("a")], [col("a")], JoinArgs::new(JoinType::Inner));
            lf = leaf(both).expect("a leaf");
        }
        let mut nodes = 0;
        let plan = joined(lf, true).logical_plan;
        let mut open = vec![&plan];
        let mut seen = std::collections::HashSet::new();
        while let Some(node) = open.pop() {
            nodes += 1;
            match node {
                DslPlan::Join { input_left, input_right, .. } => open.extend([&**input_left, &**input_right]),
                DslPlan::Cache { input, .. } if seen.insert(std::ptr::from_ref(&**input)) => open.push(input),
                _ => {}
            }
        }
        assert!(nodes < 100, "{nodes}");
    }
}
