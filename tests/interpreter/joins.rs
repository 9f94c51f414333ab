//! Statements that join.

use serde_json::Value;
use stream_dsl::KTable;

use super::datum::{Datum, Nullable};
use super::functions::joiner;
use super::program::{Bind, Bound, Done, Program, Typed, known, named, out, string};
use super::tables::Stored;

impl Program<'_> {
    /// A join of a table with whatever `other` is.
    pub fn join_table(&mut self, statement: &Value, op: &str) -> Done<Bound> {
        match (self.get(statement, "from")?, self.get(statement, "other")?) {
            (Bound::Table(one), Bound::Table(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::Table(one), Bound::Counts(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::Counts(one), Bound::Table(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::Counts(one), Bound::Counts(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::WindowTable(one), Bound::WindowTable(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::WindowTable(one), Bound::WindowCounts(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::WindowCounts(one), Bound::WindowTable(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::WindowCounts(one), Bound::WindowCounts(two)) => self.join_tables(statement, op, &one, &two),
            _ => out(format_args!("{op} of a table with this")),
        }
    }

    fn join_tables<K: Stored, V1: Stored, V2: Stored>(
        &mut self,
        statement: &Value,
        op: &str,
        one: &Typed<KTable<K, V1>>,
        two: &Typed<KTable<K, V2>>,
    ) -> Done<Bound>
    where
        Typed<KTable<K, Datum>>: Bind,
    {
        let (join, value) = known(joiner(string(statement, "joiner")?, one.value, two.value), statement, "joiner")?;
        let join = move |one: Nullable, two: Nullable| join(&None, &one, &two);
        let options = match (statement["materialized"].is_null(), K::serde(one.key)) {
            (true, _) => None,
            (false, Some(keys)) => Some(self.materialized(statement, keys, value.serde())?),
            (false, None) => return out("a materialized join of windows"),
        };
        let (this, that, names) = (&one.node, &two.node, named(statement));
        let inner = {
            let join = join.clone();
            move |one: &V1, two: &V2| join(one.datum(), two.datum())
        };
        let left = {
            let join = join.clone();
            move |one: &V1, two: Option<&V2>| join(one.datum(), two.and_then(V2::datum))
        };
        let outer = move |one: Option<&V1>, two: Option<&V2>| join(one.and_then(V1::datum), two.and_then(V2::datum));
        let node: KTable<K, Datum> = match (op, options) {
            ("join", None) => this.join_named(that, inner, names),
            ("join", Some(options)) => this.join_named_with(that, inner, names, options),
            ("left-join", None) => this.left_join_named(that, left, names),
            ("left-join", Some(options)) => this.left_join_named_with(that, left, names, options),
            (_, None) => this.outer_join_named(that, outer, names),
            (_, Some(options)) => this.outer_join_named_with(that, outer, names, options),
        };
        Ok(Typed { node, key: one.key, value }.bind())
    }
}
