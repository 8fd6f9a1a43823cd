//! How distributions are read: those that are read alike can be summed before they are measured.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::measured::{Bound, Scale};
use crate::point::{Buckets, Layout, Scheme};

/// What distributions that can be summed have in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Way {
    pub(super) layout: Layout,
    pub(super) scale: Scale,
    pub(super) bounds: Arc<[Bound]>,
}

/// The ways of a commit, each once: what is read alike has the same address.
#[derive(Debug, Default)]
pub(super) struct Ways(HashSet<Arc<Way>, RandomState>);

/// The way of the latest point as it was sent, and as it is kept. Neighbours mostly have the same one.
#[derive(Debug, Default)]
pub(super) struct Latest(Option<(Way, Arc<Way>)>);

impl Latest {
    /// How a point's distribution is read.
    pub(super) fn of(&mut self, ways: &mut Ways, of: &Buckets<'_>, scheme: &Scheme) -> &Arc<Way> {
        let known = self.0.take().filter(|(sent, _)| sent.is(of, scheme));
        let (_, kept) = self.0.insert(known.unwrap_or_else(|| {
            let sent = Way {
                layout: of.layout.clone().into_owned(),
                scale: scheme.scale,
                bounds: Arc::clone(&scheme.bounds),
            };
            let kept = ways.keep(&sent);
            (sent, kept)
        }));
        kept
    }
}

impl Ways {
    fn keep(&mut self, way: &Way) -> Arc<Way> {
        if let Some(kept) = self.0.get(way) {
            return Arc::clone(kept);
        }
        let kept = Arc::new(way.clone());
        self.0.insert(Arc::clone(&kept));
        kept
    }
}

impl Way {
    /// Whether it is certainly this one, by addresses.
    fn is(&self, of: &Buckets<'_>, scheme: &Scheme) -> bool {
        let same_layout = match (&self.layout, &*of.layout) {
            (Layout::Explicit(one), Layout::Explicit(other)) => Arc::ptr_eq(one, other),
            (one, other) => one == other,
        };
        same_layout && self.scale == scheme.scale && Arc::ptr_eq(&self.bounds, &scheme.bounds)
    }
}

impl Eq for Way {}

impl Hash for Way {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Adding zero makes −0 and 0 the same.
        let mut put = |value: f64| (value + 0.0).to_bits().hash(state);
        match &self.layout {
            Layout::Explicit(bounds) => bounds.iter().copied().for_each(put),
            Layout::Exponential {
                scale,
                zero_threshold,
            } => {
                put(f64::from(*scale));
                put(*zero_threshold);
            }
        }
        self.bounds
            .iter()
            .for_each(|bound| bound.value().to_bits().hash(state));
    }
}
