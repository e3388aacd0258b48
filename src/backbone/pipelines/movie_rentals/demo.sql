-- Who spent most in January, and what they wrote
select
    customer_id,
    sum(amount_spent) as amount_spent,
    sum(review_score) as positive_reviews,
    sum(review_count) as reviews
from exploitation.user_behavior_metric
group by customer_id
order by amount_spent desc, customer_id
limit 5;

-- How well the classifier does on reviews it has not seen
select label, round(precision, 2) as precision, round(recall, 2) as recall, round(f1, 2) as f1, support
from exploitation.review_model_report
order by label = 'accuracy' or label like '% avg', label;

-- Do customers return to a genre? Share of rentals in each customer's favourite, by how much they rent
select
    case when rentals <= 5 then 'up to 5 rentals' when rentals <= 20 then '6 to 20' else 'over 20' end as activity,
    count(*) as customers,
    round(avg(favourite / rentals), 2) as share_of_favourite_genre
from (
    select customer_id, sum(rentals) as rentals, max(rentals) as favourite
    from (
        select customer_id, category, sum(rentals) as rentals
        from exploitation.customer_genre_metric
        group by customer_id, category
    )
    group by customer_id
)
where rentals > 0
group by activity
order by min(rentals);

-- What was turned away, and why
select reasons[1] as reason, count(*) as rows
from (select * from quarantine.user_purchase union all select * from quarantine.movie_review)
group by reason
order by rows desc, reason
limit 8;
