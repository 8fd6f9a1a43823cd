//! Arithmetic of bucketed distributions: what one grew by since another, whatever became of their
//! buckets.

use std::borrow::Cow;
use std::sync::Arc;

use crate::codec::{CodecError, Reader, put_f64, put_signed, put_varint};
use crate::point::{Buckets, Layout, POSITIVE};

impl Buckets<'_> {
    /// The same, to be kept.
    pub(super) fn owned(&self) -> Buckets<'static> {
        Buckets {
            layout: Cow::Owned(self.layout.clone().into_owned()),
            counts: Cow::Owned(self.counts.to_vec()),
            min: self.min,
            max: self.max,
        }
    }

    /// How many values there are. Decoding has checked that they fit.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// How many buckets and bounds a slice of it has at most.
    pub(super) fn width(&self) -> usize {
        match &*self.layout {
            Layout::Explicit(bounds) => bounds.len() + 1,
            Layout::Exponential { .. } => self.counts.len(),
        }
    }

    /// What was added since `before`, by the finest buckets that both can be brought to. `None` if
    /// any count fell.
    pub(crate) fn grown_since(&self, before: &Buckets<'_>) -> Option<Buckets<'static>> {
        let mut layout = common(&self.layout, &before.layout)?;
        if *self.layout != *before.layout {
            self.widen_zero(&mut layout);
            before.widen_zero(&mut layout);
        }
        let earlier = before.counts_in(&layout);
        let mut earlier = earlier.iter().copied().peekable();
        let mut counts = Vec::new();
        for (number, count) in self.counts_in(&layout).iter() {
            let known = match earlier.peek() {
                Some((at, _)) if at < number => return None,
                Some((at, known)) if at == number => *known,
                _ => 0,
            };
            if known > 0 {
                earlier.next();
            }
            let added = count.checked_sub(known)?;
            if added > 0 {
                counts.push((*number, added));
            }
        }
        if earlier.next().is_some() {
            return None;
        }
        Some(Buckets {
            layout: Cow::Owned(layout),
            counts: Cow::Owned(counts),
            min: self.min,
            max: self.max,
        })
    }

    /// Where the lowest and the highest value narrow a bucket of these edges. They are in the outermost buckets; a
    /// sender that says otherwise is not believed.
    pub(super) fn narrowed(
        &self,
        number: i64,
        (low, high): (f64, f64),
    ) -> (Option<f64>, Option<f64>) {
        let outermost = |bucket: Option<&(i64, u64)>| bucket.is_some_and(|one| one.0 == number);
        let inside = |value: &f64| low < *value && *value < high;
        let min = self.min.filter(|_| outermost(self.counts.first()));
        // The lowest value itself is in its bucket, whose lower edge is not.
        let min = min.map(f64::next_down).filter(inside);
        let max = self.max.filter(|_| outermost(self.counts.last()));
        (min, max.filter(inside))
    }

    /// Raises a zero threshold that lies inside a bucket with values to the bucket's outer edge: nobody can say which
    /// of them the other side has in its zero bucket.
    fn widen_zero(&self, layout: &mut Layout) {
        for (number, _) in &*self.counts {
            let number = self.layout.number_in(*number, layout);
            if let Layout::Exponential {
                scale,
                zero_threshold,
            } = layout
                && number != 0
            {
                let (inner, outer) = exponential_edges(number.abs(), *scale, 0.0);
                if inner < *zero_threshold && *zero_threshold < outer {
                    *zero_threshold = outer;
                }
            }
        }
    }

    fn counts_in(&self, layout: &Layout) -> Cow<'_, [(i64, u64)]> {
        if *self.layout == *layout {
            return Cow::Borrowed(&self.counts);
        }
        let mut counts: Vec<(i64, u64)> = Vec::with_capacity(self.counts.len());
        for (number, count) in &*self.counts {
            let number = self.layout.number_in(*number, layout);
            match counts.last_mut() {
                Some((last, sum)) if *last == number => *sum += count,
                _ => counts.push((number, *count)),
            }
        }
        Cow::Owned(counts)
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        match &*self.layout {
            Layout::Explicit(bounds) => {
                out.push(0);
                put_varint(out, bounds.len() as u64);
                for bound in &**bounds {
                    put_f64(out, *bound);
                }
            }
            Layout::Exponential {
                scale,
                zero_threshold,
            } => {
                out.push(1);
                put_signed(out, i64::from(*scale));
                put_f64(out, *zero_threshold);
            }
        }
        put_varint(out, self.counts.len() as u64);
        let mut previous = 0;
        for (number, count) in &*self.counts {
            put_signed(out, number - previous);
            put_varint(out, *count);
            previous = *number;
        }
    }

    /// Reads the stored form. Lowest and highest value are not stored: only the latest point's
    /// matter.
    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Result<Buckets<'static>, CodecError> {
        let layout = match reader.byte()? {
            0 => {
                let length = reader.length()?;
                let bounds: Result<Vec<f64>, _> = (0..length).map(|_| reader.f64()).collect();
                Layout::Explicit(bounds?.into())
            }
            1 => Layout::Exponential {
                scale: i32::try_from(reader.signed()?).map_err(|_| CodecError::Invalid("scale"))?,
                zero_threshold: reader.f64()?,
            },
            _ => return Err(CodecError::Invalid("bucket layout")),
        };
        let length = reader.length()?;
        let mut counts = Vec::with_capacity(length);
        let (mut previous, mut total) = (0_i64, 0_u64);
        for _ in 0..length {
            let number = previous.checked_add(reader.signed()?);
            let number = number.filter(|number| (-2 * POSITIVE..=2 * POSITIVE).contains(number));
            previous = number.ok_or(CodecError::Invalid("bucket"))?;
            let count = reader.varint()?;
            total = total
                .checked_add(count)
                .ok_or(CodecError::Invalid("bucket count"))?;
            counts.push((previous, count));
        }
        if !counts.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(CodecError::Invalid("bucket"));
        }
        Ok(Buckets {
            layout: Cow::Owned(layout),
            counts: Cow::Owned(counts),
            min: None,
            max: None,
        })
    }
}

impl Layout {
    /// The exclusive lower and inclusive upper edge of a bucket.
    pub(super) fn edges(&self, number: i64) -> (f64, f64) {
        match self {
            Layout::Explicit(bounds) => {
                let at = usize::try_from(number).unwrap_or(usize::MAX);
                let below = at.checked_sub(1).and_then(|below| bounds.get(below));
                let low = below.copied().unwrap_or(f64::NEG_INFINITY);
                (low, bounds.get(at).copied().unwrap_or(f64::INFINITY))
            }
            Layout::Exponential {
                scale,
                zero_threshold,
            } => exponential_edges(number, *scale, *zero_threshold),
        }
    }

    /// The number, in a coarser layout, of the bucket that holds this one.
    fn number_in(&self, number: i64, coarser: &Layout) -> i64 {
        match (self, coarser) {
            (Layout::Explicit(bounds), Layout::Explicit(common)) => {
                let upper = usize::try_from(number).ok().and_then(|at| bounds.get(at));
                let at = upper.map_or(common.len(), |upper| {
                    common.partition_point(|bound| bound < upper)
                });
                i64::try_from(at).unwrap_or(i64::MAX)
            }
            (
                Layout::Exponential { scale, .. },
                Layout::Exponential {
                    scale: coarse,
                    zero_threshold,
                },
            ) => {
                if number == 0 {
                    return 0;
                }
                let shift = (i64::from(*scale) - i64::from(*coarse)).clamp(0, 63);
                let index = (number.abs() - POSITIVE) >> shift;
                let coarser = (index + POSITIVE) * number.signum();
                let (_, outer) = exponential_edges(coarser.abs(), *coarse, 0.0);
                if outer <= *zero_threshold { 0 } else { coarser }
            }
            _ => number,
        }
    }
}

/// The finest layout that both can be brought to.
fn common(one: &Layout, other: &Layout) -> Option<Layout> {
    match (one, other) {
        (Layout::Explicit(one), Layout::Explicit(other)) if one == other => {
            Some(Layout::Explicit(Arc::clone(one)))
        }
        (Layout::Explicit(one), Layout::Explicit(other)) => {
            let in_both = one.iter().copied().filter(|bound| other.contains(bound));
            Some(Layout::Explicit(in_both.collect()))
        }
        (
            Layout::Exponential {
                scale,
                zero_threshold,
            },
            Layout::Exponential {
                scale: other_scale,
                zero_threshold: other_threshold,
            },
        ) => Some(Layout::Exponential {
            scale: *scale.min(other_scale),
            zero_threshold: zero_threshold.max(*other_threshold),
        }),
        _ => None,
    }
}

fn exponential_edges(number: i64, scale: i32, zero_threshold: f64) -> (f64, f64) {
    if number == 0 {
        return (-zero_threshold.next_up(), zero_threshold);
    }
    #[expect(clippy::cast_precision_loss, reason = "indices are below 2³⁴")]
    let index = (number.abs() - POSITIVE) as f64;
    // A bucket of 2048 doublings holds all doubles on its side of 1; of more it would be no number.
    let doublings = (-f64::from(scale.max(-11))).exp2();
    let (inner, outer) = (
        (index * doublings).exp2(),
        ((index + 1.0) * doublings).exp2(),
    );
    if number > 0 {
        (inner, outer)
    } else {
        // Below zero the outer edge belongs to the bucket and the inner one does not.
        ((-outer).next_down(), (-inner).next_down())
    }
}
