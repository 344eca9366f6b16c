//! Ways through a query, for those who look at one sort of thing in it.

use sqlparser::ast::{Expr, Query, Select, Visit, VisitMut, Visitor, VisitorMut};
use std::ops::ControlFlow;

/// Shows every `SELECT` to `look`; one around others comes before them.
pub(super) fn selects<T: Visit>(ast: &T, look: impl FnMut(&Select)) {
    struct Selects<F>(F);
    impl<F: FnMut(&Select)> Visitor for Selects<F> {
        type Break = ();

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            (self.0)(select);
            ControlFlow::Continue(())
        }
    }
    let _ = ast.visit(&mut Selects(look));
}

/// The same for who changes them.
pub(super) fn selects_mut<T: VisitMut>(ast: &mut T, change: impl FnMut(&mut Select)) {
    struct Selects<F>(F);
    impl<F: FnMut(&mut Select)> VisitorMut for Selects<F> {
        type Break = ();

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            (self.0)(select);
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(ast, &mut Selects(change));
}

/// Shows every query to `change` when those inside of it are done.
pub(super) fn queries_mut<T: VisitMut>(ast: &mut T, change: impl FnMut(&mut Query)) {
    struct Queries<F>(F);
    impl<F: FnMut(&mut Query)> VisitorMut for Queries<F> {
        type Break = ();

        fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            (self.0)(query);
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(ast, &mut Queries(change));
}

/// Shows the expressions of a part to `look`, each before what is in it, until it breaks off; not those of queries inside of it.
pub(super) fn own<T: Visit, B>(part: &T, look: impl FnMut(&Expr) -> ControlFlow<B>) -> ControlFlow<B> {
    part.visit(&mut Own { look, inside: 0 })
}

/// The same for who changes them. What stands instead is walked through as well.
pub(super) fn own_mut<T: VisitMut, B>(part: &mut T, change: impl FnMut(&mut Expr) -> ControlFlow<B>) -> ControlFlow<B> {
    VisitMut::visit(part, &mut Own { look: change, inside: 0 })
}

struct Own<F> {
    look: F,
    /// How deep it is in queries.
    inside: usize,
}

impl<B, F: FnMut(&Expr) -> ControlFlow<B>> Visitor for Own<F> {
    type Break = B;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<B> {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<B> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<B> {
        if self.inside == 0 { (self.look)(expr) } else { ControlFlow::Continue(()) }
    }
}

impl<B, F: FnMut(&mut Expr) -> ControlFlow<B>> VisitorMut for Own<F> {
    type Break = B;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<B> {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<B> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<B> {
        if self.inside == 0 { (self.look)(expr) } else { ControlFlow::Continue(()) }
    }
}
