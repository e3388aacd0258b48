-- Are the planted anomalies found? Planted connections are those that start on second 59
with planted as (
    select distinct date_trunc('hour', started_at) as window_start, source, destination
    from formatted.connection
    where extract(second from started_at) = 59
), compared as (
    select p.source is not null as is_planted, a.source is not null as is_alert
    from planted as p
    full join exploitation.rare_edge as a using (window_start, source, destination)
)
select
    count(*) filter (where is_planted) as planted,
    count(*) filter (where is_alert) as alerts,
    count(*) filter (where is_planted and is_alert) as found,
    round(found / alerts, 2) as precision,
    round(found / planted, 2) as recall
from compared;

-- The edges that most exceeded what was expected of them
select
    source,
    destination,
    window_start as hour,
    value,
    round(expected, 1) as expected,
    round(ratio, 2) as ratio,
    previous_maximum
from exploitation.rare_edge
order by ratio desc
limit 5;
