-- Is the planted burst found? Who stands out in the hour of the day that holds most events of one user
select
    user_name,
    hour,
    round(score, 3) as score,
    round(share, 3) as share,
    day,
    events,
    usual
from exploitation.outlier
where window_start = (select max(window_start) from exploitation.outlier)
    and hour = (select hour from exploitation.hourly_count order by events desc limit 1)
order by score desc;

-- Which accounts behave alike?
select
    cluster,
    count(*) as users,
    min(user_name) as first,
    max(user_name) as last,
    round(any_value(silhouette), 2) as silhouette
from exploitation.user_cluster
where window_start = (select max(window_start) from exploitation.user_cluster)
group by cluster
order by cluster;
