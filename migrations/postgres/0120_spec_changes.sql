-- As in ../sqlite.
create table spec_change (
    id        bigint generated always as identity primary key,
    at_s      bigint not null,
    objective text collate "C" not null,
    mark      bigint not null,
    what      text not null
);
create index spec_change_objective on spec_change (objective, id);
