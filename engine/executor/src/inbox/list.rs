//! The list of the inbox: pages of open items, or of their shapes.
//!
//! A page is read from indexes that stand in the order of the list, so it costs what it holds,
//! wherever it begins and however many items are open. What no index tells (who has voted already,
//! whether a vote of the caller counts here) is looked at item by item, [`EXAMINED_MAX`] at most in
//! one request: a page that ends because of that says `partial`, and its cursor leads on.

use super::card::{approvals, integration_name};
use super::{Caller, Error, Handle, ItemsOf, PAGE, PAGE_MAX, concerns, requests, sees_all};
use crate::world::World;
use placet_core::policy::{Electorate, Moment};
use placet_log::ReadView;
use placet_model::actor::Role;
use placet_model::approval::{Requirement, SelfApproval};
use placet_model::draft::Mode;
use placet_model::{Digest, IntegrationId, Principal, Timestamp};
use placet_projections::{DecisionRow, Place, Rank, ShapePlace, ShapeRow, Source, Views};
use requests::{Filter, ListBody};
use serde_json::{Value, json};

/// Items that one request looks at, at most.
const EXAMINED_MAX: usize = 2_000;
/// Items that are read at once while others are passed over.
const STRIDE: usize = 250;
/// Items of one shape that are looked at to see whether one of them concerns the caller.
const EXAMINED_OF_A_SHAPE: usize = 200;
/// Shapes that are looked through to see which items are meant; with more, items are.
const SHAPES_MAX: usize = 1_000;
/// Shapes whose items are merged into one page; with more, all items are looked at.
const MERGED_MAX: usize = 256;

/// What is asked for.
#[derive(Debug)]
struct Wanted {
    of: ItemsOf,
    integration: Option<IntegrationId>,
    operation: Option<String>,
    requester: Option<Principal>,
    workflow: Option<String>,
    state: Option<&'static str>,
    mode: Option<Mode>,
    shape: Option<Digest>,
}

/// Who looks, at what, and when.
struct Looking<'a> {
    views: Views<'a>,
    world: &'a World,
    now: Timestamp,
    who: &'a Principal,
    wanted: Wanted,
}

impl Handle {
    /// `{filter?, group?, cursor?, limit?}` → `{items, next, partial?}`: the open requests that
    /// concern the caller, gravest first; with `group` `{groups, next, partial?}`, the shapes on which
    /// a vote of the caller may count, each with the exact number of its open items.
    ///
    /// `filter` is `all` for every open item, else only what waits for the caller; or an object
    /// `{all?, integration?, operation?, requester?, workflow?, state?, mode?, shape?}`, of which all
    /// must hold. The order is that of [`Rank`], then by deadline, then by age; it is the same on
    /// every page, and an item that is settled in between is left out.
    ///
    /// # Errors
    /// A malformed request; a project that cannot be read.
    pub fn inbox_list(&self, caller: &Caller, body: &Value) -> Result<Value, Error> {
        self.known(&caller.principal)?;
        let ListBody { filter, group, cursor, limit } = requests::parse(body)?;
        let limit = limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let (view, world) = (self.view()?, self.world());
        let wanted = wanted(&world, requests::filter(filter)?)?;
        let (views, now, who) = (Views::new(&view)?, self.now(), &caller.principal);
        let looking = Looking { views, world: &world, now, who, wanted };
        let cursor = cursor.as_deref().filter(|cursor| !cursor.is_empty());
        if group {
            return looking.groups(cursor.map(requests::cursor).transpose()?, limit);
        }
        let page = looking.page(cursor.map(requests::cursor).transpose()?, limit)?;
        self.items(&view, &world, &page)
    }

    fn items(&self, view: &ReadView, world: &World, page: &Page) -> Result<Value, Error> {
        let items: Result<Vec<Value>, Error> =
            page.rows.iter().map(|row| self.item(view, world, row)).collect();
        let next = page.next.map(|place| place.to_string());
        Ok(shown("items", items?, (next, page.partial)))
    }
}

/// A page as it is told; `partial` stands only where it is true.
fn shown(what: &str, rows: Vec<Value>, (next, partial): (Option<String>, bool)) -> Value {
    let mut page = json!({ "next": next });
    page[what] = Value::Array(rows);
    if partial {
        page["partial"] = json!(true);
    }
    page
}

struct Page {
    rows: Vec<DecisionRow>,
    next: Option<Place>,
    /// It ends because enough was looked at, not because it is full.
    partial: bool,
}

/// The item with which a shape is shown.
enum First {
    Item(Box<DecisionRow>),
    /// Enough were looked at: the shape is shown without one.
    Unknown,
    /// None is meant: the shape is not shown.
    Nothing,
}

impl Looking<'_> {
    fn page(&self, mut after: Option<Place>, limit: usize) -> Result<Page, Error> {
        let sources = self.sources()?;
        let (mut rows, mut examined) = (vec![], 0);
        while examined < EXAMINED_MAX {
            // one more than the page needs tells whether there is another one; what does not match
            // is passed over in longer strides
            let most = if examined == 0 { limit + 1 } else { STRIDE.min(EXAMINED_MAX - examined) };
            let found = self.views.inbox(&sources, after, most)?;
            let end = found.len() < most;
            for row in found {
                examined += 1;
                if rows.len() == limit {
                    return Ok(Page { rows, next: after, partial: false });
                }
                after = row.place;
                if self.wanted.matches(&row) && self.concerns(&row) {
                    rows.push(row);
                }
            }
            if end {
                return Ok(Page { rows, next: None, partial: false });
            }
        }
        Ok(Page { rows, next: after, partial: true })
    }

    fn concerns(&self, row: &DecisionRow) -> bool {
        concerns((self.world, self.now), row, self.who, self.wanted.of)
    }

    /// Where the items stand that can be meant.
    fn sources(&self) -> Result<Vec<Source>, Error> {
        let wanted = &self.wanted;
        if let Some(shape) = wanted.shape {
            return Ok(vec![Source::Shape(shape)]);
        }
        if let Some(requester) = &wanted.requester {
            return Ok(vec![Source::AskedBy(requester.clone())]);
        }
        let everything = self.sees_all();
        if everything && wanted.of_any_shape() {
            return Ok(vec![Source::All]);
        }
        let shapes = self.views.shapes(None, SHAPES_MAX + 1)?;
        if shapes.len() > SHAPES_MAX {
            return Ok(vec![Source::All]);
        }
        let meant = shapes.into_iter().map(|(_, shape)| shape);
        let meant = meant.filter(|shape| wanted.matches_shape(shape));
        let mut sources: Vec<Source> = meant
            .filter(|shape| everything || self.may_concern(shape))
            .map(|shape| Source::Shape(shape.shape))
            .collect();
        if sources.len() > MERGED_MAX {
            return Ok(vec![Source::All]);
        }
        if wanted.of == ItemsOf::All && !everything {
            // whoever has something to do with an item sees it, whether their vote counts or not
            sources.push(Source::AskedBy(self.who.clone()));
            sources.push(Source::InHandsOf(self.who.clone()));
        }
        Ok(sources)
    }

    /// Whether every open item may be shown.
    fn sees_all(&self) -> bool {
        self.wanted.of == ItemsOf::All && sees_all(self.world, self.who)
    }

    /// Whether an item of the shape may concern the caller: looser than [`concerns`], which looks at
    /// requester, editor, votes and age as well.
    fn may_concern(&self, shape: &ShapeRow) -> bool {
        let policy = &self.world.policy;
        if shape.rank == Rank::InDoubt {
            let operator = policy.has_role(self.who, Role::Operator);
            return policy.may_approve(self.who) || operator;
        }
        let requirement =
            Requirement { self_approval: SelfApproval::Allowed, ..shape.requirement.clone() };
        // as old as can be, so that every escalation counts
        let requested_at = Timestamp::from_millis(i64::MIN);
        let electorate = Electorate {
            policy,
            requirement: &requirement,
            requester: self.who,
            editor: None,
            assigned: &[],
            moment: Moment { now: self.now, requested_at },
        };
        electorate.is_entitled(self.who)
    }

    fn groups(&self, mut after: Option<ShapePlace>, limit: usize) -> Result<Value, Error> {
        let (mut groups, mut examined) = (vec![], 0);
        let page = |groups: Vec<Value>, next: Option<ShapePlace>, partial: bool| {
            Ok(shown("groups", groups, (next.map(|place| place.to_string()), partial)))
        };
        while examined < EXAMINED_MAX {
            let shapes = self.views.shapes(after, limit + 1)?;
            let end = shapes.len() <= limit;
            for (place, shape) in shapes {
                if groups.len() == limit || examined >= EXAMINED_MAX {
                    let partial = groups.len() < limit;
                    return page(groups, after, partial);
                }
                after = Some(place);
                examined += 1;
                let meant = self.wanted.matches_shape(&shape);
                if meant && (self.sees_all() || self.may_concern(&shape)) {
                    let (first, looked) = self.first(&shape)?;
                    examined += looked;
                    match first {
                        First::Nothing => {}
                        First::Item(row) => groups.push(self.group(&shape, Some(&row))),
                        First::Unknown => groups.push(self.group(&shape, None)),
                    }
                }
            }
            if end {
                return page(groups, None, false);
            }
        }
        page(groups, after, true)
    }

    /// The first item of the shape that is meant, and how many were looked at.
    fn first(&self, shape: &ShapeRow) -> Result<(First, usize), Error> {
        let sources = [Source::Shape(shape.shape)];
        let (mut after, mut looked) = (None, 0);
        while looked < EXAMINED_OF_A_SHAPE {
            let most = if looked == 0 { 1 } else { EXAMINED_OF_A_SHAPE - looked };
            let rows = self.views.inbox(&sources, after, most)?;
            let end = rows.len() < most;
            for row in rows {
                looked += 1;
                if self.wanted.matches(&row) && self.concerns(&row) {
                    return Ok((First::Item(Box::new(row)), looked));
                }
                after = row.place;
            }
            if end {
                return Ok((First::Nothing, looked));
            }
        }
        Ok((First::Unknown, looked))
    }

    fn group(&self, shape: &ShapeRow, first: Option<&DecisionRow>) -> Value {
        json!({
            "shape": shape.shape,
            "count": shape.count,
            "operation": shape.operation,
            "effect": shape.effect,
            "integration": integration_name(self.world, shape.integration),
            "mode": shape.mode,
            "workflow": shape.workflow,
            "task": shape.task.as_str(),
            "state": shape.rank.state(),
            "rules": shape.requirement.rules,
            "needed": approvals(&shape.requirement),
            "assigned": shape.assigned,
            "edited": shape.edited,
            "one_by_one": super::bulk::too_grave(shape.effect, shape.rank, shape.edited),
            "first": first.map(|row| row.decision),
            "oldest": first.map(|row| row.requested_at),
            "expires_at": first.map(|row| row.expires_at),
        })
    }
}

impl Wanted {
    /// Whether the shape of an item says nothing about whether it is meant.
    const fn of_any_shape(&self) -> bool {
        self.integration.is_none()
            && self.operation.is_none()
            && self.workflow.is_none()
            && self.state.is_none()
            && self.mode.is_none()
    }

    fn matches_shape(&self, shape: &ShapeRow) -> bool {
        is(self.shape.as_ref(), &shape.shape)
            && is(self.mode.as_ref(), &shape.mode)
            && is(self.operation.as_ref(), &shape.operation)
            && is(self.workflow.as_ref(), &shape.workflow)
            && is(self.state.as_ref(), &shape.rank.state())
            && (self.integration.is_none() || self.integration == shape.integration)
    }

    fn matches(&self, row: &DecisionRow) -> bool {
        is(self.shape.as_ref(), &row.shape)
            && is(self.mode.as_ref(), &row.mode)
            && is(self.operation.as_ref(), &row.operation)
            && is(self.requester.as_ref(), &row.requester)
            && is(self.state.as_ref(), &super::card::state_word(row))
            && self.workflow.as_ref().is_none_or(|family| *family == row.workflow.family())
            && (self.integration.is_none() || self.integration == row.integration)
    }
}

fn is<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
    wanted.is_none_or(|wanted| wanted == found)
}

fn wanted(world: &World, filter: Filter) -> Result<Wanted, Error> {
    let integration = filter.integration.map(|name| {
        let named = |id: &IntegrationId, of: &str| id.to_string() == name || of == name;
        let found = world.integrations.values().find(|known| named(&known.id, &known.name));
        let detail = format!("there is no integration {name:?}");
        found.map(|known| known.id).ok_or(Error::Refused { code: "PL4009", detail })
    });
    let state = filter.state.map(|word| {
        let known = Rank::ALL.iter().map(|rank| rank.state()).find(|state| *state == word);
        let detail = format!("state: {word:?} is none of requested, approved, in_doubt");
        known.ok_or_else(|| requests::malformed(detail))
    });
    let mode = filter.mode.map(|word| {
        word.parse::<Mode>().map_err(|_unknown| {
            requests::malformed(format!("mode: {word:?} is none of sandbox, live"))
        })
    });
    Ok(Wanted {
        of: if filter.all { ItemsOf::All } else { ItemsOf::Mine },
        integration: integration.transpose()?,
        operation: filter.operation,
        requester: filter.requester,
        workflow: filter.workflow,
        state: state.transpose()?,
        mode: mode.transpose()?,
        shape: filter.shape,
    })
}
