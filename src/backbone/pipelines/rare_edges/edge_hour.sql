-- The connections of every edge in every hour that it has some in.
select
    date_trunc('hour', c.started_at) as window_start,
    c.source,
    c.destination,
    cast(sum(coalesce(c.connections, 1)) as bigint) as connections
from formatted.connection as c
group by date_trunc('hour', c.started_at), c.source, c.destination
