-- Classes are kept by signal: spans.*, points.*, records.*. What was counted before did not tell
-- signals apart and is told as spans.
update counter set name = 'spans.' || name
where name in (
    'received', 'received_bad', 'counted', 'counted_bad', 'duplicate', 'duplicate_bad',
    'late', 'late_bad', 'future', 'future_bad', 'invalid', 'invalid_bad',
    'unsupported', 'unsupported_bad', 'clamped', 'clamped_bad',
    'overflowed', 'overflowed_bad', 'baseline', 'baseline_bad'
);
