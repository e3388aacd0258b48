-- One row per customer with a purchase or a review in the window.
-- Each side is aggregated before they meet: joining first would multiply purchases by reviews.
with purchase as (
    select p.customer_id, sum(p.quantity * p.unit_price) as amount_spent
    from formatted.user_purchase as p
    where p.customer_id is not null
        and p.purchased_at >= $window_start and p.purchased_at < $window_end
    group by p.customer_id
),
review as (
    select
        r.customer_id,
        sum(case when r.sentiment = 'positive' then 1 else 0 end) as review_score,
        count(*) as review_count
    from exploitation.classified_review as r
    where r.window_start >= $window_start and r.window_start < $window_end
    group by r.customer_id
)
select
    coalesce(p.customer_id, r.customer_id) as customer_id,
    cast(coalesce(p.amount_spent, 0) as decimal(18, 3)) as amount_spent,
    cast(coalesce(r.review_score, 0) as bigint) as review_score,
    cast(coalesce(r.review_count, 0) as bigint) as review_count
from purchase as p
full join review as r on r.customer_id = p.customer_id
