-- When objectives came, changed and went, for people: nothing is judged by it.
create table spec_change (
    id        integer primary key,
    at_s      integer not null, -- Unix seconds at which it came into force
    objective text    not null,
    mark      integer not null, -- of the document then; 0 when the objective is gone
    what      text    not null  -- in words
) strict;
create index spec_change_objective on spec_change (objective, id);
